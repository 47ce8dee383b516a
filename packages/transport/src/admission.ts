import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { Nats } from './connection.ts'
import { unavailable } from './streams.ts'

const ASK_MS = 2000
/** Of all settlers one answers. */
const GROUP = 'settlers'

/** Unpacked: a million budgets and leases do not come near it. */
const BYTES_MAX = 64 * 1024 * 1024

const packed = promisify(gzip)
/** Bounded, because whoever can publish to the broker chooses what is unpacked here. */
const unpacked = (data: Uint8Array): Promise<Buffer> => promisify(gunzip)(data, { maxOutputLength: BYTES_MAX })

/**
 * Answers machines that tell of their gateways' leases and ask for the admission snapshot: `answer` gets the text of the question, and its
 * text goes back. Asked and not published, as positions are: nothing is stored that could be lost or be old.
 */
export async function answerAdmission(nats: Nats, answer: (question: string) => string): Promise<Disposable> {
  const connection = await nats.core()
  const subscription = connection.subscribe(`${nats.prefix}.admission`, { queue: GROUP })
  const serve = async (): Promise<void> => {
    for await (const message of subscription) {
      try {
        message.respond(await packed(answer((await unpacked(message.data)).toString())))
      } catch (error) {
        nats.logger.warn('a question about budgets is not answered', { error })
      }
    }
  }
  serve().catch((error: unknown) => nats.logger.error('questions about budgets are not answered any more', { error }))
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}

/** @throws {TransportUnavailableError} when nobody answers: no settler runs, or the broker is away. */
export async function askAdmission(nats: Nats, question: string): Promise<string> {
  const connection = await nats.core()
  try {
    const reply = await connection.request(`${nats.prefix}.admission`, await packed(question), { timeout: ASK_MS })
    return (await unpacked(reply.data)).toString()
  } catch (thrown) {
    throw unavailable('ask for budgets and limits', thrown)
  }
}
