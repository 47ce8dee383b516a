import { connect } from 'node:net'

/** A reply as it came over the wire. */
export type RawReply = {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The body without chunk framing, as far as it came. */
  readonly body: Buffer
  /** The body's chunks as they were framed; the whole body if it was not. */
  readonly frames: readonly Buffer[]
  /** Whether the body came to its framed end. */
  readonly isWhole: boolean
  /** How the connection ended. */
  readonly ended: 'fin' | 'rst'
}

/** Sends one request on a connection of its own and reads until the connection ends. `undefined`: it ended before a head. */
export async function rawPost(url: string, path: string, body: unknown): Promise<RawReply | undefined> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`
  socket.write(head + text)
  const parts: Buffer[] = []
  let ended: RawReply['ended'] = 'fin'
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('data', (part: Buffer) => void parts.push(part))
  socket.on('error', () => (ended = 'rst'))
  socket.on('close', () => resolve())
  await promise
  return parseReply(Buffer.concat(parts), ended)
}

/** Reads a reply's head and body from its bytes. */
export function parseReply(bytes: Buffer, ended: RawReply['ended'] = 'fin'): RawReply | undefined {
  const at = bytes.indexOf('\r\n\r\n')
  if (at < 0) return undefined
  const [statusLine = '', ...lines] = bytes.subarray(0, at).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(':', 1)[0]?.toLowerCase() ?? '', line.slice(line.indexOf(':') + 1).trim()]),
  )
  const status = Number(statusLine.split(' ')[1])
  const rest = bytes.subarray(at + 4)
  if (headers['transfer-encoding'] !== 'chunked') {
    return { status, headers, body: rest, frames: [rest], isWhole: rest.length === Number(headers['content-length']), ended }
  }
  const { frames, isWhole } = dechunk(rest)
  return { status, headers, body: Buffer.concat(frames), frames, isWhole, ended }
}

/** RFC 9112 section 7.1. */
function dechunk(bytes: Buffer): { frames: Buffer[]; isWhole: boolean } {
  const frames: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return { frames, isWhole: false }
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16)
    if (size === 0) return { frames, isWhole: true }
    frames.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

/** The data of every event of a stream in the usual framing. */
export function eventsOf(body: Buffer | string): string[] {
  return body
    .toString()
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => block.replace(/^data: ?/, ''))
}
