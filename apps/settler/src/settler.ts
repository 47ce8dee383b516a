import { AssertionError, toAscribeError } from '@ascribe/kit'
import type { Clock, Logger, Meters, TryLock } from '@ascribe/kit'
import { preparePartitions } from '@ascribe/ledger'
import type { Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { Nats } from '@ascribe/transport'
import { createRemoteGateways } from './admission-over-broker.ts'
import { deliverAlerts } from './alerts.ts'
import type { AlertDeps } from './alerts.ts'
import { JournalDrain } from './drain-journals.ts'
import { createLeaseKeeper } from './grant-leases.ts'
import { backOff, pause } from './pause.ts'
import { createActPoster } from './post-acts.ts'
import { publishPolicyFile } from './policy-over-broker.ts'
import { createPolicyPublisher } from './publish-policy.ts'
import { Rater } from './rater.ts'
import { createReceiving } from './receive.ts'
import { createSettlerMeters } from './settler-meters.ts'
import type { SettlerMeters } from './settler-meters.ts'

/** Between two looks at journals that were found drained: a settled record is billed well within a second. */
const IDLE_MS = 100
/** After a backlog of one writer was shipped for so long, it is the turn of the next one, and of rating. */
const TURN_MS = 500
/** Partitions of records are looked at this often; they are made a month ahead. */
const PREPARE_MS = 3_600_000
/** What cannot be shipped in this time at the end stays in the journals for the next start. */
const LAST_PASS_MS = 10_000

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
  /** Where gateways of other machines send, and read the policy. Absent: only journals on this disk. */
  readonly nats?: Nats
  /** Where acts of controllers become lines of their owners' logs. Absent: they wait for a settler that knows. */
  readonly trail?: Pick<Trail, 'appendIn'>
  /** What alerts to a webhook are signed with. Absent: they stay in the ledger until a settler comes that knows. */
  readonly webhookSecrets?: AlertDeps['webhookSecrets']
}

export type Settler = {
  /**
   * Ships, rates and publishes everything there is now, once, unless `signal` fires. A journal that cannot be read does not keep the
   * rest from it. @throws {AscribeError}
   */
  pass(signal?: AbortSignal): Promise<void>
  /** Goes on for as long as `signal` lasts; waits out every error. Then one last pass of at most ten seconds. */
  run(signal: AbortSignal): Promise<void>
  /** The error that it is waiting out, if any. */
  readonly trouble: string | undefined
}

/** Turns journals into records, records into charges, and keys into the policy of gateways. One at a time: the caller holds the lock. */
export function createSettler(deps: SettlerDeps): Settler {
  const { db, clock, logger } = deps
  const meters = createSettlerMeters(deps.meters)
  const drain = new JournalDrain({ ...deps, meters })
  const publisher = createPolicyPublisher(deps)
  const rater = new Rater(db, meters)
  const post = createActPoster(deps)
  const prepare = createPreparation(deps)
  const receiving = deps.nats === undefined ? undefined : createReceiving({ ...deps, nats: deps.nats, meters })
  const remote = deps.nats === undefined ? undefined : createRemoteGateways(deps.nats, logger)
  const leases = createLeaseKeeper({ ...deps, ended: () => drain.ended, remote })
  let trouble: string | undefined

  async function pass(signal?: AbortSignal): Promise<void> {
    const { more } = await drain.drain({ signal, thorough: true })
    await post(true)
    await publisher.publish()
    await leases.round()
    await rater.rateAll(signal)
    if (!more) meters.lastPass.set(clock() / 1000)
    if (drain.fault !== undefined) throw toAscribeError(drain.fault)
  }

  async function settle(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        const drained = await drain.drain({ signal, turnMs: TURN_MS })
        await prepare()
        const received = receiving?.takeCount() ?? 0
        await post(false)
        const more = await rater.rateIfDue(signal, { isDirty: drained.shipped + received > 0, isBacklog: drained.isBacklog })
        if (!drained.more) meters.lastPass.set(clock() / 1000)
        if (failures > 0) logger.info('settler goes on', { afterFailures: failures })
        failures = 0
        trouble = undefined
        // Not at once after every record: what comes in the meantime shares a transaction.
        if (!drained.more && !more) await pause(IDLE_MS, signal)
      } catch (error) {
        if (error instanceof AssertionError) throw error
        trouble = toAscribeError(error).message
        meters.failures.add()
        // Once for each stretch of trouble: the same words every second help nobody.
        if (failures === 0) logger.error('settler waits: nothing is lost, journals keep what is not yet committed', { error })
        await backOff(failures, signal)
        failures += 1
      }
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    const broken = new AbortController()
    const either = AbortSignal.any([signal, broken.signal])
    // Apart, so that a key that was revoked does not work on while a backlog is shipped.
    const parts = [settle(either), publisher.follow(either, logger), leases.follow(either), sendAlerts(deps, meters, either)]
    if (receiving !== undefined) parts.push(receiving.run(either))
    if (remote !== undefined) parts.push(remote.run(either))
    if (deps.nats !== undefined) parts.push(publishPolicyFile(deps.nats, { path: deps.policy, logger, signal: either }))
    for (const part of parts) part.catch(() => broken.abort())
    for (const ended of await Promise.allSettled(parts)) if (ended.status === 'rejected') throw ended.reason
    try {
      await pass(AbortSignal.timeout(LAST_PASS_MS))
    } catch (error) {
      logger.warn('last pass failed, the next start goes on from the journals', { error })
    }
  }

  return {
    pass,
    run,
    get trouble() {
      return trouble ?? receiving?.trouble
    },
  }
}

function createPreparation({ db, clock }: SettlerDeps): () => Promise<void> {
  let preparedAt = -Infinity
  return async () => {
    if (performance.now() - preparedAt < PREPARE_MS) return
    await preparePartitions(db, clock())
    preparedAt = performance.now()
  }
}

/** Alerts stay in the ledger while nobody says what they are signed with. */
async function sendAlerts(deps: SettlerDeps, meters: SettlerMeters, signal: AbortSignal): Promise<void> {
  const { webhookSecrets } = deps
  if (webhookSecrets !== undefined) await deliverAlerts({ ...deps, webhookSecrets, meters }, signal)
}
