import type { Nats } from './connection.ts'
import { unavailable } from './streams.ts'
import type { SlicePosition } from './slice.ts'

/** Up to where journals are in the ledger, by writer; those of whom nothing is there are left out. */
export type Positions = ReadonlyMap<string, SlicePosition>

const ASK_MS = 3000
/** Of all who answer one does. */
const GROUP = 'settlers'
/** Keeps questions and answers far below the broker's bound on messages. */
const WRITERS_MAX = 1000

/**
 * Answers gateways that ask how far their journals are in the ledger. Asked and not published: the answer is the database's own, it needs
 * no storage that could be lost, and who has shipped nothing asks nothing. A question that `read` fails on gets no answer.
 */
export async function answerPositions(nats: Nats, read: (writers: readonly string[]) => Promise<Positions>): Promise<Disposable> {
  const connection = await nats.core()
  const subscription = connection.subscribe(`${nats.prefix}.positions`, { queue: GROUP })
  const answer = async (): Promise<void> => {
    for await (const message of subscription) {
      try {
        const asked = message.json<unknown>()
        if (!Array.isArray(asked) || asked.length > WRITERS_MAX || !asked.every((name) => typeof name === 'string')) continue
        const positions = await read(asked)
        message.respond(
          JSON.stringify(Object.fromEntries([...positions].map(([writer, { segment, offset }]) => [writer, [segment, offset]]))),
        )
      } catch (error) {
        nats.logger.debug('positions are not answered now', { error })
      }
    }
  }
  answer().catch((error: unknown) => nats.logger.error('positions are not answered any more', { error }))
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}

/** @throws {TransportUnavailableError} when nobody answers: no settler runs, or the database is away. */
export async function askPositions(nats: Nats, writers: readonly string[]): Promise<Positions> {
  const connection = await nats.core()
  const positions = new Map<string, SlicePosition>()
  for (let start = 0; start < writers.length; start += WRITERS_MAX) {
    let answer: unknown
    try {
      const reply = await connection.request(`${nats.prefix}.positions`, JSON.stringify(writers.slice(start, start + WRITERS_MAX)), {
        timeout: ASK_MS,
      })
      answer = reply.json<unknown>()
    } catch (thrown) {
      throw unavailable('ask how far journals are in the ledger', thrown)
    }
    for (const [writer, position] of Object.entries(answer ?? {})) {
      const [segment, offset] = Array.isArray(position) ? (position as unknown[]) : []
      if (typeof segment === 'number' && typeof offset === 'number') positions.set(writer, { segment, offset })
    }
  }
  return positions
}
