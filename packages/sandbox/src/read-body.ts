import type { IncomingMessage } from 'node:http'

/** Forms and JSON of sign-ins and controls; nothing of them is larger. */
const BODY_BYTES_MAX = 64 * 1024

/** The body of a small request. @throws {Error} for a larger one, and for one that breaks off */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length
    if (sizeBytes > BODY_BYTES_MAX) throw new Error(`Cannot read the body: it has more than ${BODY_BYTES_MAX} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
