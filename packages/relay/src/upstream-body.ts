/** Up to this size, buffers are joined and written together with the head: one system call, and the copy is cheap. */
const JOIN_BYTES_MAX = 65_536
/** A longer body goes out in pieces of this size, each when the one before it has been taken. */
const PIECE_BYTES = 262_144

/** What the transport is given: the payload, and its length where the transport cannot see it. */
export type UpstreamBody = { readonly payload: Buffer | Iterable<Buffer> | null; readonly declaredBytes: number | undefined }

const NONE: UpstreamBody = { payload: null, declaredBytes: undefined }

/**
 * A request's body on its way up. A short one is one buffer. A long one is an iterable that lets go of its buffers as they
 * are written: the transport keeps the iterable until the reply has ended, which may take an hour.
 */
export function upstreamBodyOf(buffers: readonly Buffer[]): UpstreamBody {
  let bytes = 0
  for (const buffer of buffers) bytes += buffer.length
  if (bytes === 0) return NONE
  if (bytes > JOIN_BYTES_MAX) return { payload: pieces([...buffers]), declaredBytes: bytes }
  const [only] = buffers
  return { payload: buffers.length === 1 && only !== undefined ? only : Buffer.concat(buffers, bytes), declaredBytes: undefined }
}

function* pieces(buffers: Buffer[]): Generator<Buffer, void, void> {
  for (let buffer = buffers.shift(); buffer !== undefined; buffer = buffers.shift())
    for (let at = 0; at < buffer.length; at += PIECE_BYTES) yield buffer.subarray(at, at + PIECE_BYTES)
}
