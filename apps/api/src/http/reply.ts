import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { isJsonReply } from '@ascribe/contract'
import type { RouteDef } from '@ascribe/contract'
import { errorBody } from '../errors.ts'
import type { Refusal } from '../errors.ts'
import { PlainReply, StreamReply } from '../handler.ts'

/** What goes out, whole in memory, or a stream that has not begun. */
export type Outgoing = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly body: string | Uint8Array | StreamReply | undefined
}

const JSON_TYPE = 'application/json; charset=utf-8'
const FILE_NAME = /^[\w.-]{1,200}$/

/** A handler's answer as bytes. It is made before the trail is written, so that a line never says 200 of what cannot be sent. */
export function outgoingOf(def: RouteDef, answer: unknown): Outgoing {
  if (answer instanceof StreamReply) return streamed(answer)
  if (answer instanceof PlainReply) {
    const { status, body, contentType, headers, cookies } = answer
    if (contentType !== undefined && (typeof body === 'string' || body instanceof Uint8Array))
      return { status, headers: { 'content-type': contentType, ...headers }, cookies, body }
    if (body === undefined) return { status, headers, cookies, body: undefined }
    return { status, headers: { 'content-type': JSON_TYPE, ...headers }, cookies, body: JSON.stringify(body) }
  }
  const status = def.status ?? (def.reply === undefined ? 204 : 200)
  if (!isJsonReply(def.reply)) return { status, headers: {}, cookies: [], body: undefined }
  return { status, headers: { 'content-type': JSON_TYPE }, cookies: [], body: JSON.stringify(answer) }
}

function streamed(reply: StreamReply): Outgoing {
  const { contentType, fileName } = reply
  if (fileName !== undefined && !FILE_NAME.test(fileName)) throw new Error(`not a file name for a header: ${JSON.stringify(fileName)}`)
  const disposition = fileName === undefined ? {} : { 'content-disposition': `attachment; filename="${fileName}"` }
  return { status: 200, headers: { 'content-type': contentType, ...disposition }, cookies: [], body: reply }
}

export function refused(refusal: Refusal, requestId: string): Outgoing {
  const headers: Record<string, string> = { 'content-type': JSON_TYPE, ...refusal.headers }
  if (refusal.code === 'unauthenticated') headers['www-authenticate'] ??= 'Bearer'
  return { status: refusal.status, headers, cookies: [], body: JSON.stringify(errorBody(refusal, requestId)) }
}

export type SendOptions = {
  /** Of the listener and of this request; the answer's own go before. */
  readonly headers: Readonly<Record<string, string>>
  /** HEAD: everything but the body. */
  readonly isHead: boolean
}

/** What became of a stream: what left, and whether all of it did. */
export type StreamOutcome = {
  readonly outcome: 'completed' | 'aborted'
  readonly rows: number
  readonly bytes: number
  /** Hex, of the bytes that left. */
  readonly sha256: string
}

/** Sends an answer. Gives what became of it if it was a stream. */
export async function send(
  response: ServerResponse,
  outgoing: Outgoing,
  { headers, isHead }: SendOptions,
): Promise<StreamOutcome | undefined> {
  const { body } = outgoing
  const { req: request } = response
  for (const [name, value] of Object.entries({ ...headers, ...outgoing.headers })) response.setHeader(name, value)
  if (outgoing.cookies.length > 0) response.setHeader('set-cookie', [...outgoing.cookies])
  // A body that nobody has read would be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close')
  response.statusCode = outgoing.status
  if (body instanceof StreamReply) return isHead ? sendNothing(response, body) : sendStream(response, body)
  if (body !== undefined) response.setHeader('content-length', typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength)
  response.end(isHead ? undefined : body)
  return undefined
}

/** A stream's length is not known before its end. */
async function sendNothing(response: ServerResponse, stream: StreamReply): Promise<StreamOutcome> {
  await stream.chunks[Symbol.asyncIterator]().return?.()
  response.end()
  return { outcome: 'completed', rows: 0, bytes: 0, sha256: createHash('sha256').digest('hex') }
}

async function sendStream(response: ServerResponse, stream: StreamReply): Promise<StreamOutcome> {
  const hash = createHash('sha256')
  let bytes = 0
  const told = (outcome: StreamOutcome['outcome']): StreamOutcome => ({ outcome, rows: stream.rows(), bytes, sha256: hash.digest('hex') })
  const gone = Promise.withResolvers<void>()
  response.on('close', () => gone.resolve())
  try {
    for await (const chunk of stream.chunks) {
      if (response.destroyed) return told('aborted')
      const part = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      hash.update(part)
      bytes += part.length
      // Not faster than it leaves; and a client that went away is waited for no longer.
      if (!response.write(part)) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), gone.promise])
    }
  } catch (error) {
    // A whole reply ends; one that breaks must not look like one.
    response.destroy()
    throw new StreamBrokenError(told('aborted'), error)
  }
  response.end()
  await gone.promise
  return told(response.writableFinished ? 'completed' : 'aborted')
}

/** Reading broke while a stream was under way; it carries what had left by then. */
export class StreamBrokenError extends Error {
  override readonly name = 'StreamBrokenError'
  readonly outcome: StreamOutcome

  constructor(outcome: StreamOutcome, cause: unknown) {
    super('a stream broke', { cause })
    this.outcome = outcome
  }
}
