import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Call, Reply } from '../oauth/http.ts'

const BODY_BYTES_MAX = 4 * 1024 * 1024

/** Reads a request whole; undefined where it broke off or has more than 4 MiB. */
export function readCall(request: IncomingMessage): Promise<Call | undefined> {
  const { promise, resolve } = Promise.withResolvers<Call | undefined>()
  const parts: Buffer[] = []
  let sizeBytes = 0
  request.on('data', (part: Buffer) => {
    sizeBytes += part.length
    if (sizeBytes <= BODY_BYTES_MAX) parts.push(part)
    else request.destroy()
  })
  request.on('end', () => resolve(callOf(request, Buffer.concat(parts).toString())))
  request.on('error', () => resolve(undefined))
  request.on('close', () => resolve(undefined))
  return promise
}

function callOf(request: IncomingMessage, body: string): Call {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2)
  const { host } = request.headers
  return {
    method: request.method ?? '',
    path,
    query: new URLSearchParams(query),
    host: host ?? '',
    headers: request.headers,
    body,
    clientAddress: request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '',
  }
}

export type SendOptions = {
  /** Epoch milliseconds for `Date`: the clock of whoever answers. */
  readonly date: number
  /** Sends only so many bytes of the body it announces, then ends the connection. */
  readonly truncateAt?: number
}

/** Sends an answer. */
export function sendReply(response: ServerResponse, reply: Reply, { date, truncateAt }: SendOptions): void {
  if (response.destroyed) return
  const { body } = reply
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const bytes = Buffer.from(text)
  response.sendDate = false
  const length = reply.status === 204 ? {} : { 'Content-Length': String(bytes.length) }
  if (reply.cookies !== undefined) response.setHeader('Set-Cookie', [...reply.cookies])
  response.writeHead(reply.status, { Date: new Date(date).toUTCString(), ...reply.headers, ...length })
  if (truncateAt === undefined) return void response.end(bytes)
  response.write(bytes.subarray(0, truncateAt), () => response.destroy())
}
