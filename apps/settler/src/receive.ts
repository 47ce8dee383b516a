import { AssertionError, toAscribeError } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { ingestBatches, readPositions } from '@ascribe/ledger'
import type { Batch } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { answerPositions, createBatchReceiver } from '@ascribe/transport'
import type { Nats, Received } from '@ascribe/transport'
import { noteIngested } from './note-ingested.ts'
import { backOff } from './pause.ts'
import type { SettlerMeters } from './settler-meters.ts'

export type ReceiveDeps = {
  readonly db: Database
  readonly nats: Nats
  readonly logger: Logger
  readonly meters: SettlerMeters
}

/** What gateways send, as one of several settlers. */
export type Receiving = {
  /** Goes on until `signal` fires; waits out every error. */
  run(signal: AbortSignal): Promise<void>
  /** The error that it is waiting out, if any. */
  readonly trouble: string | undefined
  /** Records that came since it was asked last. */
  takeCount(): number
}

/** What the database did not take is offered to the other settlers after this. */
const GIVE_BACK_MS = 1000

/** Takes slices from the broker into the ledger: acknowledged after the commit, given back if there is none. */
export function createReceiving({ db, nats, logger, meters }: ReceiveDeps): Receiving {
  let trouble: string | undefined
  let count = 0

  async function store(received: readonly Received[]): Promise<void> {
    // By writer and in order, so that positions move with each slice and none is noted as out of order for nothing.
    const ordered = received.toSorted(({ slice: a }, { slice: b }) =>
      a.writer === b.writer ? a.from.segment - b.from.segment || a.from.offset - b.from.offset : a.writer < b.writer ? -1 : 1,
    )
    const batches = ordered.map(({ slice }): Batch => ({
      writer: slice.writer,
      from: slice.from,
      position: slice.to,
      records: slice.entries,
    }))
    try {
      const summaries = await ingestBatches(db, batches)
      for (const each of ordered) each.ack()
      for (const [index, summary] of summaries.entries()) {
        noteIngested(summary, { writer: batches[index]?.writer ?? '', meters, logger })
        count += summary.inserted
      }
    } catch (error) {
      for (const each of ordered) each.giveBack(GIVE_BACK_MS)
      throw error
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0
    await using receiver = createBatchReceiver(nats)
    using answering = new DisposableStack()
    let isAnswering = false
    while (!signal.aborted) {
      try {
        if (!isAnswering) answering.use(await answerPositions(nats, (writers) => readPositions(db, writers)))
        isAnswering = true
        const received = await receiver.next(signal)
        if (received.length > 0) await store(received)
        if (failures > 0) logger.info('records are received again', { afterFailures: failures })
        failures = 0
        trouble = undefined
      } catch (error) {
        if (error instanceof AssertionError) throw error
        trouble = toAscribeError(error).message
        meters.failures.add()
        if (failures === 0) logger.error('records are not received now: the broker and the journals keep them', { error })
        await backOff(failures, signal)
        failures += 1
      }
    }
  }

  return {
    run,
    get trouble() {
      return trouble
    },
    takeCount() {
      const taken = count
      count = 0
      return taken
    },
  }
}
