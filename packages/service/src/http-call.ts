import { HttpCallError } from './errors.ts'
import { requirePublic } from './public-address.ts'

/** One request to somebody else's HTTP server. */
export type HttpCall = {
  /** http or https, without a user or password in it. */
  readonly url: string
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** For all of it, to the last byte of the reply; default 30 s. */
  readonly timeoutMs?: number
  /** A reply with more is an error; default 8 MiB. */
  readonly replyBytesMax?: number
  /** Somebody outside chose the URL: only https to the public Internet. Default false. */
  readonly publicOnly?: boolean
  readonly signal?: AbortSignal
}

export type HttpReply = { readonly status: number; readonly headers: Headers; readonly body: Buffer }

/** A reply whose body is still to come. It is read once, to its end or until the loop is left, which ends the connection. */
export type OpenHttpReply = {
  readonly status: number
  readonly headers: Headers
  /** @throws {HttpCallError} */
  readonly chunks: AsyncIterable<Uint8Array>
}

const TIMEOUT_MS = 30_000
const REPLY_BYTES_MAX = 8 * 1024 * 1024

/**
 * The one client for outbound HTTP that is not the gateway's: webhooks, sources, other systems. Gives whatever status comes. A redirect is
 * an error and is not followed: whoever answers must not choose where our headers, and the secrets in them, go next.
 * @throws {HttpCallError} Nothing in it holds headers, bodies, or the query of the URL.
 */
export async function callHttp(call: HttpCall): Promise<HttpReply> {
  const { status, headers, chunks } = await openHttp(call)
  const body: Uint8Array[] = []
  for await (const chunk of chunks) body.push(chunk)
  return { status, headers, body: Buffer.concat(body) }
}

/** The same for a reply that is read as it comes: a stream of events, or one that is left on purpose. @throws {HttpCallError} */
export async function openHttp(call: HttpCall): Promise<OpenHttpReply> {
  const { timeoutMs = TIMEOUT_MS, replyBytesMax = REPLY_BYTES_MAX, signal, method = 'GET', publicOnly = false } = call
  const url = parseUrl(call.url)
  const place = `${url.origin}${url.pathname}`
  const headers = headersOf(call, place)
  if (publicOnly) await requirePublic(url)
  const timeout = AbortSignal.timeout(timeoutMs)
  const failure = (thrown: unknown): HttpCallError => {
    if (thrown instanceof HttpCallError) return thrown
    if (timeout.aborted) return new HttpCallError(`Cannot call ${place}: no whole reply within ${timeoutMs} ms`, { retryable: true })
    return new HttpCallError(`Cannot call ${place}`, { retryable: signal?.aborted !== true, cause: causeOf(thrown) })
  }
  try {
    const reply = await fetch(url, {
      method,
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      headers,
      ...(call.body !== undefined && { body: typeof call.body === 'string' ? call.body : new Uint8Array(call.body) }),
    })
    if (reply.status >= 300 && reply.status < 400 && reply.status !== 304) {
      await reply.body?.cancel()
      throw new HttpCallError(`Cannot call ${place}: it answers ${reply.status}, a redirect, which is not followed`, { retryable: false })
    }
    return { status: reply.status, headers: reply.headers, chunks: readBounded(reply, { place, bytesMax: replyBytesMax, failure }) }
  } catch (thrown) {
    throw failure(thrown)
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new HttpCallError('Cannot call the URL: it is not one of http or https', { retryable: false })
  // fetch would refuse it too, with the password in its message.
  if (url.username !== '' || url.password !== '')
    throw new HttpCallError(`Cannot call ${url.origin}: the URL holds a user or password; send a header`, { retryable: false })
  return url
}

function headersOf(call: HttpCall, place: string): Headers {
  try {
    return new Headers(call.headers)
  } catch {
    // The library's message quotes the value, which may be a secret.
    throw new HttpCallError(`Cannot call ${place}: one of the headers holds what a header cannot`, { retryable: false })
  }
}

/** "fetch failed" says nothing; what it failed of is below. */
function causeOf(thrown: unknown): unknown {
  return thrown instanceof TypeError && thrown.cause !== undefined ? thrown.cause : thrown
}

type Bounds = { readonly place: string; readonly bytesMax: number; readonly failure: (thrown: unknown) => HttpCallError }

async function* readBounded(reply: Response, { place, bytesMax, failure }: Bounds): AsyncGenerator<Uint8Array, void, undefined> {
  let length = 0
  try {
    for await (const chunk of reply.body ?? []) {
      length += chunk.length
      // Leaving the loop ends the connection.
      if (length > bytesMax)
        throw new HttpCallError(`Cannot read the reply of ${place}: it has more than ${bytesMax} bytes`, { retryable: false })
      yield chunk
    }
  } catch (thrown) {
    throw failure(thrown)
  }
}
