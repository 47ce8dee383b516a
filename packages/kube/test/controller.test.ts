import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeters } from '@ascribe/service'
import { silentLogger } from '@ascribe/kit'
import { KubeError, TerminalError, createController, createInformers } from '../src/index.ts'
import type { Controller, ControllerOptions, ObjectKey, ReconcileContext, Result } from '../src/index.ts'
import { createFakeClocks } from '../src/testing.ts'
import type { FakeClocks } from '../src/testing.ts'
import { THINGS, thing } from './things.ts'
import { startWorld, until } from './world.ts'

type Run = {
  readonly clocks: FakeClocks
  readonly controller: Controller
  readonly stop: () => Promise<void>
  readonly meters: ReturnType<typeof createMeters>
}

function start(reconcile: (key: ObjectKey, context: ReconcileContext) => Promise<Result>, options: Partial<ControllerOptions> = {}): Run {
  const clocks = createFakeClocks()
  const meters = createMeters()
  const controller = createController({ name: 'thing', reconcile, clocks, meters, random: () => 0, ...options })
  const stop = new AbortController()
  const running = controller.run(stop.signal)
  return {
    clocks,
    controller,
    meters,
    async stop() {
      stop.abort()
      await clocks.advance(60_000)
      await running
    },
  }
}

const value = (run: Run, series: string): number =>
  Number(new RegExp(`^${series.replaceAll(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(run.meters.render())?.[1] ?? Number.NaN)

test('a reconciler that throws is called again with back-off, and requeueAfterMs begins it anew', async () => {
  const calls: number[] = []
  let isBroken = true
  const run = start(async () => {
    calls.push(run.clocks.monotonic())
    if (isBroken) throw new Error('broken')
    return { requeueAfterMs: 1000 }
  })
  await run.clocks.advance(0)
  run.controller.enqueue({ namespace: 'a', name: 'one' })
  await run.clocks.advance(5 + 10 + 20)
  assert.deepEqual(
    calls.map((at) => at - (calls[0] ?? 0)),
    [0, 5, 15, 35],
  )
  isBroken = false
  await run.clocks.advance(40)
  isBroken = true
  await run.clocks.advance(1000)
  const count = calls.length
  await run.clocks.advance(5)
  assert.equal(calls.length, count + 1)
  await run.stop()
})

test('a TerminalError is counted and not tried again', async () => {
  let calls = 0
  const run = start(async () => {
    calls += 1
    throw new TerminalError('Cannot go on: the spec is wrong')
  })
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(100_000)
  assert.equal(calls, 1)
  assert.equal(value(run, 'controller_runtime_terminal_reconcile_errors_total{controller="thing"}'), 1)
  assert.equal(value(run, 'controller_runtime_reconcile_errors_total{controller="thing"}'), 1)
  await run.stop()
})

test('slurm-operator-240: requeueAfterMs of zero or less comes back soon, and never means never', async () => {
  let calls = 0
  const run = start(async () => ({ requeueAfterMs: ++calls === 1 ? 0 : calls === 2 ? -5 : 10_000 }))
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(10)
  assert.equal(calls, 3)
  await run.stop()
})

test('a KubeError with Retry-After is waited for', async () => {
  const calls: number[] = []
  const run = start(async () => {
    calls.push(run.clocks.monotonic())
    throw new KubeError('get', { reason: 'TooManyRequests', status: 429, retryAfterMs: 7000 })
  })
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(7000)
  assert.deepEqual(
    calls.map((at) => at - (calls[0] ?? 0)),
    [0, 7000],
  )
  await run.stop()
})

test('a bug in a reconciler costs no worker, and is counted as a panic', async () => {
  let calls = 0
  const run = start(async () => {
    calls += 1
    return (undefined as unknown as { result: Result }).result
  })
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(5)
  assert.equal(calls, 2)
  assert.equal(value(run, 'controller_runtime_reconcile_panics_total{controller="thing"}'), 2)
  await run.stop()
})

test('one key is never reconciled twice at a time, and a change during a run makes another', async () => {
  let active = 0
  let calls = 0
  const finish: (() => void)[] = []
  const run = start(
    async () => {
      calls += 1
      active += 1
      assert.equal(active, 1)
      await new Promise<void>((resolve) => finish.push(resolve))
      active -= 1
      return {}
    },
    { concurrency: 4 },
  )
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(0)
  for (let index = 0; index < 3; index += 1) run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(0)
  assert.equal(calls, 1)
  finish.shift()?.()
  await run.clocks.advance(0)
  assert.equal(calls, 2)
  finish.shift()?.()
  await run.clocks.advance(0)
  assert.deepEqual(run.controller.depth(), { ready: 0, delayed: 0, active: 0 })
  await run.stop()
})

test('groups: a tenant whose reconciles hang takes half of the workers and no more', async () => {
  const done: string[] = []
  const run = start(
    async ({ namespace = '', name }, { signal }) => {
      if (namespace === 'slow') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
      done.push(`${namespace}/${name}`)
      return {}
    },
    { concurrency: 4, groupOf: ({ namespace = '' }) => namespace, timeoutMs: 1_000_000 },
  )
  for (let index = 0; index < 50; index += 1) run.controller.enqueue({ namespace: 'slow', name: String(index) })
  for (let index = 0; index < 10; index += 1) run.controller.enqueue({ namespace: 'quick', name: String(index) })
  await run.clocks.advance(1)
  assert.equal(done.length, 10)
  assert.equal(run.controller.depth().active, 2)
  await run.stop()
})

test('run() lets workers finish after the abort, gives up after the grace period, and begins nothing new', async () => {
  const outcomes: string[] = []
  const run = start(
    async ({ name }, { signal }) => {
      if (name === 'stuck')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up')))).catch(() =>
          outcomes.push('given up'),
        )
      else outcomes.push(name)
      return {}
    },
    { graceMs: 5000, logger: silentLogger },
  )
  run.controller.enqueue({ name: 'stuck' })
  await run.clocks.advance(0)
  run.controller.enqueue({ name: 'late' })
  await run.stop()
  assert.deepEqual(outcomes, ['given up'])
})

test('a run that takes too long is told so, and counted', async () => {
  const run = start(({ name }, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error(name)))), {
    timeoutMs: 1000,
  })
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(1000)
  assert.equal(value(run, 'controller_runtime_reconcile_timeouts_total{controller="thing"}'), 1)
  await run.stop()
})

test('metrics have the names of controller-runtime, and every result from the beginning', async () => {
  const run = start(async () => ({}))
  run.controller.enqueue({ name: 'one' })
  await run.clocks.advance(1)
  for (const [result, count] of Object.entries({ success: 1, error: 0, requeue: 0, requeue_after: 0 }))
    assert.equal(value(run, `controller_runtime_reconcile_total{controller="thing",result="${result}"}`), count)
  assert.equal(value(run, 'workqueue_adds_total{controller="thing",name="thing"}'), 1)
  assert.equal(value(run, 'controller_runtime_max_concurrent_reconciles{controller="thing"}'), 1)
  assert.equal(value(run, 'workqueue_depth{controller="thing",name="thing"}'), 0)
  assert.equal(value(run, 'controller_runtime_reconcile_time_seconds_count{controller="thing"}'), 1)
  await run.stop()
})

test('watch() maps changes to keys, tells the old and the new owner, and puts the first filling behind what happens', async () => {
  await using it = await startWorld()
  await it.client.create(THINGS, thing('a', 'one', { owner: 'x' }))
  await using informers = createInformers({ connection: it.connection })
  const things = informers.informer(THINGS)
  const seen: string[] = []
  const controller = createController({
    name: 'owner',
    reconcile: async ({ name }) => {
      seen.push(name)
      return {}
    },
  })
  controller.watch(things, {
    map: ({ spec }) => (spec?.owner === undefined ? [] : [{ name: spec.owner }]),
    when: ({ object }) => object.metadata.namespace === 'a',
  })
  const stop = new AbortController()
  const running = controller.run(stop.signal)
  await until('the first is seen', () => seen.length === 1)
  await it.client.patch(THINGS, { namespace: 'a', name: 'one' }, { patch: { type: 'merge', body: { spec: { owner: 'y' } } } })
  await until('both owners are seen', () => seen.length === 3)
  await it.client.create(THINGS, thing('b', 'other', { owner: 'z' }))
  await it.client.create(THINGS, thing('a', 'last', { owner: 'last' }))
  await until('the last is seen', () => seen.includes('last'))
  assert.deepEqual(seen, ['x', 'x', 'y', 'last'])
  stop.abort()
  await running
})

test('run() fails when caches are not filled in time', async () => {
  await using it = await startWorld()
  it.kube.setServed('things', false)
  await using informers = createInformers({ connection: it.connection })
  const controller = createController({ name: 'x', reconcile: async () => ({}), cacheSyncTimeoutMs: 30 })
  controller.watch(informers.informer(THINGS))
  await assert.rejects(controller.run(new AbortController().signal), /the caches of things were not filled/)
})
