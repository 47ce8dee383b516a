import { KubeError } from '../errors.ts'

/** An object is at most 1.5 MB in etcd; a Table or an old server may send more. Beyond it the stream is no watch. */
const LINE_BYTES_MAX = 16 * 1024 * 1024
const NEWLINE = 0x0a

/**
 * Cuts bytes at newlines. A line is decoded as a whole, so a character may be split by any chunk; at most `bytesMax` wait for their end.
 * What stands after the last newline is dropped: a watch that ends in the middle of an event has not sent it.
 */
export function createLineSplitter(operation: string, bytesMax: number = LINE_BYTES_MAX): (chunk: Uint8Array) => string[] {
  let parts: Uint8Array[] = []
  let waiting = 0
  return (chunk) => {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end)
      const line = parts.length === 0 ? Buffer.from(tail.buffer, tail.byteOffset, tail.length) : Buffer.concat([...parts, tail])
      if (line.length > bytesMax) throw tooLong(operation, bytesMax)
      if (line.length > 0) lines.push(line.toString('utf8'))
      parts = []
      waiting = 0
      start = end + 1
    }
    if (start < chunk.length) {
      parts.push(chunk.subarray(start))
      waiting += chunk.length - start
      if (waiting > bytesMax) throw tooLong(operation, bytesMax)
    }
    return lines
  }
}

function tooLong(operation: string, bytesMax: number): KubeError {
  return new KubeError(operation, { reason: 'Malformed', message: `a line has more than ${bytesMax} bytes` })
}
