import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { writePolicyFile } from '@ascribe/identity'
import { AssertionError, toAscribeError } from '@ascribe/kit'
import type { Logger, TryLock } from '@ascribe/kit'
import type { PolicySnapshot } from '@ascribe/identity'
import { POLICY_CHANNEL, advancePolicy, readPolicySnapshot, readPolicyVersion } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { pause } from './pause.ts'

const TURNS = 50
const TURN_MS = 20
/**
 * Between two looks that nobody asked for: a notice may be missed (behind a connection pooler each one is), and what was planned begins
 * without one. A look costs two rows.
 */
const LOOK_MS = 400

/**
 * Puts what gateways must know on disk, unless it is there already; what was planned and is due begins first. Gives the version that was read.
 * Another writer's turn is waited for, up to a second; then that one's word stands, and the next call mends it.
 */
export async function publishPolicy(db: Database, path: string, tryLock: TryLock): Promise<number> {
  return createPolicyPublisher({ db, policy: path, tryLock }).publish()
}

export type PolicyPublisher = {
  /** As {@link publishPolicy}; leaves the file alone that it wrote or found itself and nobody has touched since. */
  publish(): Promise<number>
  /** Publishes every change as it is committed, until `signal` fires. Waits out every error. */
  follow(signal: AbortSignal, logger: Logger): Promise<void>
}

export function createPolicyPublisher(deps: {
  readonly db: Database
  readonly policy: string
  readonly tryLock: TryLock
}): PolicyPublisher {
  const { db, policy, tryLock } = deps
  let published: string | undefined
  let known: PolicySnapshot | undefined

  async function publish(): Promise<number> {
    const { version, isDue } = await readPolicyVersion(db)
    if (isDue) await advancePolicy(db)
    else if (published !== undefined && published === stampOf(policy, version)) return version
    const snapshot = await readPolicySnapshot(db, { ...(known !== undefined && { known }) })
    known = snapshot
    for (let turn = 0; turn < TURNS; turn += 1) {
      if (writePolicyFile(policy, snapshot, tryLock) !== 'busy') {
        published = stampOf(policy, snapshot.version)
        break
      }
      await delay(TURN_MS)
    }
    return snapshot.version
  }

  async function follow(signal: AbortSignal, logger: Logger): Promise<void> {
    let wake = Promise.withResolvers<void>()
    await using _subscription = db.listen(POLICY_CHANNEL, () => wake.resolve())
    let failing = false
    while (!signal.aborted) {
      wake = Promise.withResolvers<void>()
      const startedAt = performance.now()
      try {
        await publish()
        failing = false
      } catch (error) {
        if (error instanceof AssertionError) throw error
        if (!failing) logger.error('policy cannot be published, the last one stays in force', { error: toAscribeError(error) })
        failing = true
      }
      const tookMs = performance.now() - startedAt
      // Many changes at once are published together: it rests for as long as it worked.
      await pause(Math.min(tookMs, LOOK_MS), signal)
      await pause(LOOK_MS, signal, wake.promise)
    }
  }

  return { publish, follow }
}

/** Changes with the version and whenever somebody touches the file; `undefined`: there is none. */
function stampOf(path: string, version: number): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? undefined : `${version}.${stats.ino}.${stats.size}.${stats.mtimeNs}`
}
