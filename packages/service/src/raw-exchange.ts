import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { HttpCallError } from './errors.ts'

/** Bytes for an HTTP server, as no client would send them. */
export type RawExchange = {
  /** `http://host:port` or `https://host:port`; its certificate is checked. */
  readonly origin: string
  readonly bytes: Buffer
  /** For all of it; default 10 s. */
  readonly timeoutMs?: number
  /** PEM of the authorities to trust instead of the machine's. */
  readonly ca?: string
}

export type RawReply = {
  /** 0: the connection ended without a reply. */
  readonly status: number
  /** Of the first final reply, without the framing of chunks. */
  readonly body: string
}

const TIMEOUT_MS = 10_000
const REPLY_BYTES_MAX = 1024 * 1024

/**
 * Says exactly these bytes on a connection of their own, and gives the first final reply. For asking how a server takes what is malformed;
 * who only wants an answer calls `callHttp`. @throws {HttpCallError} when nobody is there, or it does not end in time
 */
export async function exchangeRaw({ origin, bytes, timeoutMs = TIMEOUT_MS, ca }: RawExchange): Promise<RawReply> {
  const { protocol, hostname, port } = new URL(origin)
  const host = hostname.replace(/^\[|\]$/g, '')
  const at = { host, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
  const socket =
    protocol === 'https:'
      ? connectTls({ ...at, ...(/[a-z]/i.test(host) && !host.includes(':') && { servername: host }), ...(ca !== undefined && { ca }) })
      : connect(at)
  const heard: Buffer[] = []
  let length = 0
  const { promise, resolve, reject } = Promise.withResolvers<RawReply>()
  const finish = (hasEnded: boolean): void => {
    const reply = parseReply(Buffer.concat(heard).toString('latin1'), hasEnded)
    if (reply !== undefined) resolve(reply)
    else if (hasEnded) resolve({ status: 0, body: '' })
  }
  const fail = (why: string, cause?: unknown): void => reject(new HttpCallError(`Cannot ask ${origin}: ${why}`, { retryable: true, cause }))
  socket.on('data', (chunk: Buffer) => {
    length += chunk.length
    heard.push(chunk)
    if (length > REPLY_BYTES_MAX) fail(`the reply has more than ${REPLY_BYTES_MAX} bytes`)
    else finish(false)
  })
  // Who resets a connection has often said why before.
  socket.once('error', (error) => (length > 0 ? finish(true) : fail(error.message, error)))
  socket.once('close', () => finish(true))
  const timer = setTimeout(() => fail(`no whole reply within ${timeoutMs} ms`), timeoutMs)
  socket.write(bytes)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

/** `undefined`: more has to come. */
function parseReply(text: string, hasEnded: boolean): RawReply | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = text.slice(0, end)
  const rest = text.slice(end + 4)
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0)
  if (status >= 100 && status < 200) return parseReply(rest, hasEnded)
  if (/^transfer-encoding:[^\r]*chunked/im.test(head)) {
    const body = unchunked(rest)
    return body === undefined && !hasEnded ? undefined : { status, body: utf8(body ?? '') }
  }
  const wanted = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (wanted !== undefined && rest.length >= Number(wanted)) return { status, body: utf8(rest.slice(0, Number(wanted))) }
  const hasNone = status === 204 || status === 304
  return hasEnded || hasNone ? { status, body: utf8(rest) } : undefined
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

/** `undefined`: its last chunk is not there. */
function unchunked(text: string): string | undefined {
  const pieces: string[] = []
  let at = 0
  for (;;) {
    const [line, size = ''] = /^([0-9a-f]{1,8})[^\r\n]*\r\n/i.exec(text.slice(at, at + 200)) ?? []
    if (line === undefined) return undefined
    const bytes = Number.parseInt(size, 16)
    if (bytes === 0) return pieces.join('')
    at += line.length
    if (text.length < at + bytes + 2) return undefined
    pieces.push(text.slice(at, at + bytes))
    at += bytes + 2
  }
}
