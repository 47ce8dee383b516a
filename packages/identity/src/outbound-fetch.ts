import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { isConfidentialUrl } from './loopback-url.ts'

/** As the global one, for http and https. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>

/** A document of an identity provider, or a list of keys, is a few kilobytes. */
const REPLY_BYTES_MAX = 256 * 1024

/**
 * The way out to identity providers: `fetch`, but for names under `localhost`, which are this machine (RFC 6761 section 6.3) and which
 * Node's resolver does not know. Never follows a redirect: whoever answers must not choose where a secret goes next.
 */
export const outboundFetch: Fetch = async (text, init = {}) => {
  const url = new URL(text)
  if (!isConfidentialUrl(url)) throw new TypeError(`plain http to ${url.host}, which is not this machine`)
  if (url.protocol !== 'http:' || !url.hostname.endsWith('.localhost')) return fetch(url, { ...init, redirect: 'manual' })
  return fetchLocalhost(url, init)
}

function fetchLocalhost(url: URL, init: RequestInit): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const { body = null } = init
  const headers = Object.fromEntries(new Headers(init.headers))
  const text = body === null ? undefined : textOf(body)
  if (text !== undefined) headers['content-length'] = String(Buffer.byteLength(text))
  const sent = request(url, {
    method: init.method ?? 'GET',
    headers: { ...headers, ...(body instanceof URLSearchParams && { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }) },
    hostname: '127.0.0.1',
    setHost: false,
    ...(init.signal && { signal: init.signal }),
  })
  sent.setHeader('host', url.host)
  sent.on('error', reject)
  sent.on('response', (reply) => void responseOf(reply).then(resolve, reject))
  sent.end(text)
  return promise
}

function textOf(body: NonNullable<RequestInit['body']>): string {
  if (typeof body === 'string') return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new TypeError('only text can be sent')
}

async function responseOf(reply: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > REPLY_BYTES_MAX) throw new TypeError(`the reply has more than ${REPLY_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  const status = reply.statusCode ?? 502
  const headers = new Headers()
  for (let index = 0; index + 1 < reply.rawHeaders.length; index += 2)
    headers.append(reply.rawHeaders[index] ?? '', reply.rawHeaders[index + 1] ?? '')
  const hasBody = status !== 204 && status !== 304 && status >= 200
  return new Response(hasBody ? Buffer.concat(chunks) : null, { status, headers })
}

/** The whole body of a reply as text, within bounds. */
async function boundedText(reply: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of reply.body ?? []) {
    length += chunk.length
    // Leaving the loop ends the connection.
    if (length > REPLY_BYTES_MAX) throw new TypeError(`the reply has more than ${REPLY_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
}

export type JsonCall = { readonly fetch: Fetch; readonly timeoutMs: number }

/** GETs a JSON object. Anything but 200 with one is an error whose message names the status and no content. */
export async function fetchJson(url: string, { fetch: call, timeoutMs }: JsonCall): Promise<Readonly<Record<string, unknown>>> {
  const reply = await call(url, { headers: { accept: 'application/json' }, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
  if (reply.status !== 200) {
    await reply.body?.cancel()
    throw new TypeError(`it answers ${reply.status}`)
  }
  const text = await boundedText(reply)
  const parsed = parseJson(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('the reply is no JSON object')
  return parsed as Readonly<Record<string, unknown>>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser quotes what it read.
    throw new TypeError('the reply is no JSON')
  }
}
