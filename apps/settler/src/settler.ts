import { setTimeout as delay } from 'node:timers/promises'
import { AssertionError, toAscribeError } from '@ascribe/kit'
import type { Clock, Logger, Meters, TryLock } from '@ascribe/kit'
import { rateDirtyHours } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { JournalDrain } from './drain-journals.ts'
import { publishPolicy } from './publish-policy.ts'
import { createSettlerMeters } from './settler-meters.ts'

/** Between two looks at journals that were found drained: a settled record is billed well within a second. */
const IDLE_MS = 100
/** What others may have changed (prices, mappings, keys) is looked for this often when no record came. */
const LOOK_MS = 400
const BACK_OFF_MS = [100, 250, 500, 1000, 2000, 5000] as const

export type SettlerDeps = {
  readonly db: Database
  /** Folder of all journals. */
  readonly journal: string
  /** Where gateways read their policy. */
  readonly policy: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: Meters
}

export type Settler = {
  /** Ships, rates and publishes everything there is now, once. @throws {AscribeError} */
  pass(signal?: AbortSignal): Promise<void>
  /** Passes for as long as `signal` lasts; waits out every error. Then one last pass. */
  run(signal: AbortSignal): Promise<void>
  /** The error that it is waiting out, if any. */
  readonly trouble: string | undefined
}

/** Turns journals into records, records into charges, and keys into the policy of gateways. One at a time: the caller holds the lock. */
export function createSettler(deps: SettlerDeps): Settler {
  const { db, logger, tryLock, policy } = deps
  const meters = createSettlerMeters(deps.meters)
  const drain = new JournalDrain({ ...deps, meters })
  let trouble: string | undefined
  let lookedAt = -LOOK_MS

  /** Gives whether there was anything to ship. */
  async function step(signal: AbortSignal | undefined, look: boolean): Promise<boolean> {
    const shipped = await drain.drain(signal)
    const now = performance.now()
    if (shipped > 0 || look || now - lookedAt >= LOOK_MS) {
      lookedAt = now
      await publishPolicy(db, policy, tryLock)
      const { hours } = await rateDirtyHours(db, signal === undefined ? {} : { signal })
      if (hours > 0) meters.hoursRated.add(hours)
    }
    meters.lastPass.set(Date.now() / 1000)
    return shipped > 0
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        const busy = await step(signal, false)
        if (failures > 0) logger.info('settler goes on', { afterFailures: failures })
        failures = 0
        trouble = undefined
        if (!busy) await pause(IDLE_MS, signal)
      } catch (error) {
        if (error instanceof AssertionError) throw error
        trouble = toAscribeError(error).message
        meters.failures.add()
        // Once for each stretch of trouble: the same words every second help nobody.
        if (failures === 0) logger.error('settler waits: nothing is lost, journals keep what is not yet committed', { error })
        await pause(BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length - 1)] ?? IDLE_MS, signal)
        failures += 1
      }
    }
    try {
      await step(undefined, true)
    } catch (error) {
      logger.warn('last pass failed, the next start goes on from the journals', { error })
    }
  }

  return {
    pass: async (signal) => {
      await step(signal, true)
    },
    run,
    get trouble() {
      return trouble
    },
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {})
}
