import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '../errors.ts'

/** Of everything but events: the largest is a price book. */
export const BODY_BYTES_MAX: number = 1024 * 1024

const DECODER = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a body to its end. Only now is a client told to go on that asked (RFC 9110 section 10.1.1), so nobody's body is ever waited for.
 * @throws {Refusal} `body_too_large`
 */
export async function readBytes(message: IncomingMessage, response: ServerResponse, bytesMax: number): Promise<Buffer> {
  const tooLarge = new Refusal('body_too_large', `The body is larger than this takes: ${bytesMax} bytes.`)
  if (Number(message.headers['content-length'] ?? 0) > bytesMax) throw tooLarge
  if (message.headers.expect !== undefined) response.writeContinue()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @throws {Refusal} when it is none, or says it is something else */
export function parseJson(bytes: Uint8Array, contentType: string | undefined): unknown {
  requireType(contentType, 'application/json')
  try {
    return JSON.parse(DECODER.decode(bytes))
  } catch (cause) {
    throw new Refusal('invalid_request', 'The body is not JSON in UTF-8.', { cause })
  }
}

/**
 * A form, as a simple request brings it. A field that comes twice is refused: nobody should have to guess which one counts.
 * @throws {Refusal}
 */
export function parseForm(bytes: Uint8Array, contentType: string | undefined): Record<string, string> {
  requireType(contentType, 'application/x-www-form-urlencoded')
  const fields: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, value] of new URLSearchParams(textOf(bytes))) {
    if (name in fields) throw new Refusal('invalid_request', `The field ${JSON.stringify(name)} comes twice.`)
    fields[name] = value
  }
  return { ...fields }
}

function textOf(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes)
  } catch (cause) {
    throw new Refusal('invalid_request', 'The body is not UTF-8.', { cause })
  }
}

function requireType(contentType: string | undefined, wanted: string): void {
  if (contentType?.split(';', 1)[0]?.trim().toLowerCase() === wanted) return
  throw new Refusal('unsupported_media_type', `The body has to be ${wanted}.`)
}
