import type { Sink } from '@ascribe/relay'
import type { Step } from '@ascribe/usage'

/**
 * Decides which bytes of a reply the client may have before its settlement is durable. What is held is the part without
 * which nobody can take the reply for a whole one. `step` is what the usage reader says about the same chunk.
 */
export type ReplyBody = {
  data(chunk: Buffer, step: Step, sink: Sink): void
  /** The reply is whole, and the settlement's barrier stands. */
  end(step: Step, sink: Sink): void
}

/** The usage reader decides: the terminal event of a stream, the last byte of a JSON body of unknown length. */
export const readBody: ReplyBody = {
  data(_chunk, step, sink) {
    for (const bytes of step.now) sink.write(bytes)
  },
  end(step, sink) {
    for (const bytes of step.afterSettlement) sink.write(bytes)
  },
}

/**
 * A body of known length: everything flows but the chunk that completes it, which is held whole, so that head and body
 * of a small reply leave in one system call.
 */
export function createFramedBody(contentLength: number): ReplyBody {
  let remaining = contentLength
  let last: Buffer | undefined
  return {
    data(chunk, _step, sink) {
      if (chunk.length === 0) return
      remaining -= chunk.length
      if (remaining > 0) sink.write(chunk)
      else last = chunk
    },
    end(_step, sink) {
      if (last !== undefined) sink.write(last)
    },
  }
}

/** Bytes that mean nothing to us, because they are compressed: the last one is held, without it the body is not whole. */
export function createOpaqueBody(): ReplyBody {
  let last: Buffer | undefined
  return {
    data(chunk, _step, sink) {
      if (chunk.length === 0) return
      if (last !== undefined) sink.write(last)
      if (chunk.length > 1) sink.write(chunk.subarray(0, -1))
      last = chunk.subarray(-1)
    },
    end(_step, sink) {
      if (last !== undefined) sink.write(last)
    },
  }
}
