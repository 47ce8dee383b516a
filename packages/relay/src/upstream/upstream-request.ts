import { isNamed } from '../http/end-to-end-headers.ts'
import { RelayMisuseError } from '../errors.ts'
import { areFieldsClean, joined } from '../http/head-text.ts'
import type { UpstreamRequest } from '../ports.ts'

/** Up to this size a body is written together with its head: one system call, and the copy is cheap. */
const JOIN_BYTES_MAX = 65_536
/** A longer body goes out in pieces of this size, each when the one before it has been taken. */
const PIECE_BYTES = 262_144

const METHOD = /^[A-Za-z-]+$/
const TARGET = /^[\x21-\x7e\x80-\xff]+$/

/**
 * A request as it is written, piece by piece. One `Content-Length`, computed here; none where a body is neither there nor expected.
 * Throws {@link RelayMisuseError} for what cannot be said in HTTP.
 */
export function encodeRequest(request: UpstreamRequest, host: string): Buffer[] {
  const { method, target, headers, knownHeaders, body } = request
  let bytes = 0
  for (const buffer of body) bytes += buffer.length
  let text = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (isTransports(name)) continue
    text += `${name}: ${headers[i + 1] ?? ''}\r\n`
  }
  text += bytes > 0 || expectsBody(method) ? `content-length: ${bytes}\r\n\r\n` : '\r\n'
  if ((method !== 'POST' && !METHOD.test(method)) || !TARGET.test(target) || !areFieldsClean(headers, knownHeaders))
    throw new RelayMisuseError(`Cannot ask an upstream for ${JSON.stringify(`${method} ${target}`)}: its head would not be one`)
  const [only] = body
  if (bytes <= JOIN_BYTES_MAX) {
    const chunk = body.length === 1 && only !== undefined ? only : Buffer.concat(body, bytes)
    return [joined({ before: text, chunk, after: '' })]
  }
  const pieces: Buffer[] = [Buffer.from(text, 'latin1')]
  for (const buffer of body) for (let at = 0; at < buffer.length; at += PIECE_BYTES) pieces.push(buffer.subarray(at, at + PIECE_BYTES))
  return pieces
}

/** RFC 9110 section 8.6: a method that has a meaning for a body says so even when there is none. */
function expectsBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH'
}

/** What the transport writes by itself, or what would speak of a connection that is not this one. */
function isTransports(name: string): boolean {
  switch (name.length) {
    case 4:
      return isNamed(name, 'host')
    case 6:
      // The client's wish for 100 (Continue) was granted here; the body goes up with the head.
      return isNamed(name, 'expect')
    case 7:
      return isNamed(name, 'upgrade')
    case 10:
      return isNamed(name, 'connection') || isNamed(name, 'keep-alive')
    case 14:
      return isNamed(name, 'content-length')
    case 17:
      return isNamed(name, 'transfer-encoding')
    default:
      return false
  }
}
