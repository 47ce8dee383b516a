import { setTimeout as delay } from 'node:timers/promises'
import { writePolicyFile } from '@ascribe/identity'
import type { TryLock } from '@ascribe/kit'
import { readPolicySnapshot } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'

const TURNS = 50
const TURN_MS = 20

/**
 * Puts what gateways must know on disk, unless it is there already. Gives the version that is in force afterwards.
 * Another writer's turn is waited for, up to a second; then that one's word stands, and the next call mends it.
 */
export async function publishPolicy(db: Database, path: string, tryLock: TryLock): Promise<number> {
  const snapshot = await readPolicySnapshot(db)
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (writePolicyFile(path, snapshot, tryLock) !== 'busy') break
    await delay(TURN_MS)
  }
  return snapshot.version
}
