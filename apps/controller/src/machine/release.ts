import { FINALIZERS, MACHINES } from '@ascribe/kinds'
import { isKubeError } from '@ascribe/kube'
import { releaseClaims } from './addresses.ts'
import { recordedServer } from './marks.ts'
import { meter } from './metering.ts'
import { readAgain } from './run.ts'
import type { Run } from './run.ts'
import { HoldError } from './hold-error.ts'

/** The last of a machine: its hours are durable, its addresses are given back, then the finalizer goes. In this order, always. */
export async function applyRelease(run: Run): Promise<void> {
  if (recordedServer(run.machine) !== undefined && !(await meter(run, { isGone: true })))
    throw new HoldError({ reason: 'WaitingForMetering', message: 'The last hours are being written down', retryAfterMs: 1_000 })
  await releaseClaims(run)
  await dropFinalizer(run)
}

export async function dropFinalizer(run: Run): Promise<void> {
  try {
    await run.world.kube.removeFinalizer(MACHINES, run.machine, { finalizer: FINALIZERS.machine, fieldManager: 'ascribe' })
    run.isGone = true
    run.world.memories.forget(run.uid)
  } catch (error) {
    // Something changed it since: everything is decided again on what it is now.
    if (!isKubeError(error, 'Conflict', 'Invalid', 'NotFound')) throw error
    await readAgain(run)
  }
}
