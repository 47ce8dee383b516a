// A program of its own: `caretaker FOLDER` stops the test server of the folder when nobody has used it for a while, then ends.
// It outlives the test processes, killed ones too, and so no server for tests stays behind.
import { setTimeout as delay } from 'node:timers/promises'
import { stopIfUnused } from '../embedded/embedded.ts'
import { isUnused } from '../embedded/presence.ts'
import { findServer, maintenanceTarget } from '../embedded/server-folder.ts'
import { testTryLock } from './lock.ts'
import { caretakerLockOf } from './server.ts'

/** Long enough to bridge the start of the next test file, short enough for nobody to notice. */
const UNUSED_MS_MAX = 2_000
const POLL_MS = 250

async function isServerUnused(folder: string): Promise<boolean> {
  const socketDir = await findServer(folder)
  // A server that was killed has users who start it again, or none.
  if (socketDir === undefined) return true
  return isUnused(maintenanceTarget(socketDir)).catch(() => true)
}

/** Returns when the server is stopped. */
async function takeCare(folder: string): Promise<void> {
  using lock = testTryLock(caretakerLockOf(folder))
  if (lock === undefined) return
  let usedAt = performance.now()
  for (;;) {
    if (!(await isServerUnused(folder))) usedAt = performance.now()
    // A test process that joins between this look and the lock is seen under the lock.
    if (performance.now() - usedAt > UNUSED_MS_MAX && (await stopIfUnused({ dataDir: folder, tryLock: testTryLock })) === 'stopped') return
    await delay(POLL_MS)
  }
}

const [, , folder] = process.argv
if (folder !== undefined) await takeCare(folder)
