import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AdmissionSnapshot } from '@ascribe/admission'
import { AssertionError, toAscribeError } from '@ascribe/kit'
import type { Clock, Logger } from '@ascribe/kit'
import { createBudgetRounds } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { RemoteGateways } from './admission-over-broker.ts'
import { readReports, removeReport } from './lease-reports.ts'
import { pause } from './pause.ts'
import { putWhole } from './put-whole.ts'

/** How often reports are looked at: a gateway that is short of a lease waits about so long, and its own 300 ms. */
const LOOK_MS = 100
/** Between two rounds when no gateway tells anything new: records and rules may have come. */
const ROUND_MS = 400
/** Rounds take a fifth of the time at most. */
const REST_FACTOR = 4
const REST_MS_MAX = 5000

export type LeaseDeps = {
  readonly db: Database
  /** Folder of all journals. */
  readonly journal: string
  /** Where the policy snapshot lies; the admission snapshot and the reports of gateways lie beside it. */
  readonly policy: string
  readonly clock: Clock
  readonly logger: Logger
  /** Writers that are dead, and of whom everything is in the ledger. */
  readonly ended: () => readonly string[]
  /** Gateways of other machines: a journal that is not here may be there. */
  readonly remote?: RemoteGateways | undefined
}

export type LeaseKeeper = {
  /** Counts and grants once, and puts what gateways must know on disk. @throws {DatabaseError} */
  round(): Promise<void>
  /** Goes on until `signal` fires. Waits out every error: gateways keep the leases that they have. */
  follow(signal: AbortSignal): Promise<void>
}

/** Counts what was spent, grants leases to gateways, and tells them in the admission snapshot. */
export function createLeaseKeeper(deps: LeaseDeps): LeaseKeeper {
  const { db, journal, policy, clock, logger, ended, remote } = deps
  const rounds = createBudgetRounds(db)
  const snapshotPath = join(dirname(policy), 'admission.json')
  const reportFolder = join(dirname(policy), 'leases')
  let open: readonly string[] = []
  let written: AdmissionSnapshot | undefined

  async function work(told: Awaited<ReturnType<typeof readReports>>): Promise<void> {
    const there = remote?.read(Date.now()) ?? { reports: [], closed: [], gone: [] }
    const done = new Set([...ended(), ...there.gone])
    const isDead = (writer: string): boolean => done.has(writer) || !mayLive(writer, told.writers)
    // What one told just before it was killed is no sign of life any more once its journal has been shipped.
    const reports = [...told.reports, ...there.reports].filter(({ writer }) => !isDead(writer))
    const gone = [...new Set([...open, ...told.writers, ...there.gone])].filter(isDead)
    const { snapshot, openWriters } = await rounds.next({ reports, closed: [...told.closed, ...there.closed], gone, now: clock() })
    open = openWriters
    for (const writer of told.writers) if (isDead(writer) && !open.includes(writer)) await removeReport(reportFolder, writer)
    if (
      snapshot !== undefined &&
      (snapshot.version !== written?.version || snapshot.ledger !== written.ledger || !existsSync(snapshotPath))
    ) {
      await putWhole(snapshotPath, JSON.stringify(snapshot))
      remote?.tell(snapshot)
      written = snapshot
    }
  }

  /** Whether a writer has, or may have somewhere, a journal that is not in the ledger. One that told of itself here has it here. */
  function mayLive(writer: string, toldHere: readonly string[]): boolean {
    return existsSync(join(journal, writer)) || (remote !== undefined && !toldHere.includes(writer))
  }

  async function follow(signal: AbortSignal): Promise<void> {
    let stamp: string | undefined
    let workedAt = -Infinity
    let failing = false
    while (!signal.aborted) {
      const startedAt = performance.now()
      try {
        const told = await readReports(reportFolder, Date.now())
        if (told.stamp !== stamp || startedAt - workedAt >= ROUND_MS) {
          await work(told)
          stamp = told.stamp
          workedAt = startedAt
        }
        failing = false
      } catch (error) {
        if (error instanceof AssertionError) throw error
        if (!failing) logger.error('leases cannot be granted now, gateways keep those that they have', { error: toAscribeError(error) })
        failing = true
      }
      const tookMs = performance.now() - startedAt
      await pause(Math.min(Math.max(LOOK_MS, tookMs * REST_FACTOR), REST_MS_MAX), signal)
    }
  }

  return { round: async () => work(await readReports(reportFolder, Date.now())), follow }
}
