import { KubeError } from '../errors.ts'
import type { Deadline } from './deadline.ts'
import { createLineSplitter } from './lines.ts'
import type { KubeStream } from './types.ts'

type Body = AsyncIterable<Buffer> & { destroy(error?: Error): unknown; on(event: 'error', listener: (error: Error) => void): unknown }

type StreamOptions = {
  readonly operation: string
  readonly deadline: Deadline
  readonly silenceMs: number
  readonly wrap: (thrown: unknown) => unknown
}

/** Lines of a body while they come. Takes over `deadline`, whose signal aborts the request. */
export function openStream(body: Body, { operation, deadline, silenceMs, wrap }: StreamOptions): KubeStream {
  const split = createLineSplitter(operation)
  // Whoever disposes of a stream in the middle gets no error of it; without a listener it would end the process.
  body.on('error', () => {})
  deadline.restart(silenceMs)

  async function* lines(): AsyncGenerator<string> {
    try {
      for await (const chunk of body) {
        deadline.restart(silenceMs)
        yield* split(chunk)
      }
    } catch (thrown) {
      const error = wrap(thrown)
      if (error instanceof KubeError && error.reason === 'Deadline')
        throw new KubeError(operation, { reason: 'Deadline', message: `nothing came for ${Math.round(silenceMs / 1000)} s` })
      throw error
    } finally {
      deadline[Symbol.dispose]()
      body.destroy()
    }
  }

  return {
    lines: lines(),
    async [Symbol.asyncDispose]() {
      deadline[Symbol.dispose]()
      body.destroy()
    },
  }
}
