import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@ascribe/kit'
import { CacheSyncError, KubeError } from '@ascribe/kube'
import { createFakeClocks } from '@ascribe/kube/testing'
import type { ReadyReport } from '@ascribe/service'
import { ClusterNotReadyError } from './errors.ts'
import { patiently } from './patiently.ts'
import type { Patience } from './patiently.ts'

const STARTING: ReadyReport = { process: { ok: false, detail: 'starting' } }

function patience(): Patience & { readonly clocks: ReturnType<typeof createFakeClocks>; readonly stop: AbortController } {
  const stop = new AbortController()
  return { clocks: createFakeClocks(), logger: silentLogger, signal: stop.signal, report: { now: () => STARTING }, stop }
}
const trouble = (status: number, retryAfterMs?: number): KubeError =>
  new KubeError('list machines', { reason: 'InternalError', status, ...(retryAfterMs !== undefined && { retryAfterMs }) })

test('patiently() goes on when the API server is in trouble, says so meanwhile, and waits longer each time', async () => {
  const patient = patience()
  const failures: Error[] = [trouble(503), trouble(500, 7000), new CacheSyncError('not filled')]
  const done = patiently(
    'look',
    async () => {
      const next = failures.shift()
      if (next !== undefined) throw next
      return 'found'
    },
    patient,
  )
  for (const waitMs of [500, 7000, 2000]) {
    await new Promise((resolve) => setImmediate(resolve))
    assert.match(patient.report.now()['cluster']?.detail ?? '', /look: the API server is in trouble/)
    await patient.clocks.advance(waitMs)
  }
  assert.equal(await done, 'found')
  assert.deepEqual(patient.report.now(), STARTING)
})

test('patiently() ends with what somebody has to mend, with a server that nobody answers for, and with the process', async () => {
  for (const error of [
    new ClusterNotReadyError('no kinds'),
    new KubeError('x', { reason: 'Forbidden', status: 403 }),
    new KubeError('x', { reason: 'Network' }),
  ])
    await assert.rejects(
      patiently('look', () => Promise.reject(error), patience()),
      error,
    )
  const patient = patience()
  const waiting = patiently('look', () => Promise.reject(trouble(503)), patient)
  patient.stop.abort(new Error('told to stop'))
  await assert.rejects(waiting, /told to stop/)
})
