import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFakeClocks } from '../testing/fake-clocks.ts'
import type { FakeClocks } from '../testing/fake-clocks.ts'
import { createWorkQueue } from './work-queue.ts'
import type { Taken, WorkQueue } from './work-queue.ts'

const groupOf = (key: string): string => key.split('/', 1)[0] ?? ''

/** What is handed out now; `undefined` when nothing is. */
async function takeNow(queue: WorkQueue, clocks: FakeClocks): Promise<Taken | undefined> {
  let taken: Taken | undefined
  void queue.take().then((found) => (taken = found))
  await clocks.advance(0)
  return taken
}

test('add() of a key that waits keeps one entry, with the higher priority', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks })
  queue.add('low')
  queue.add('twice', { priority: -1 })
  queue.add('twice', { priority: 5 })
  assert.deepEqual(queue.depth(), { ready: 2, delayed: 0, active: 0 })
  assert.equal((await takeNow(queue, clocks))?.key, 'twice')
  assert.equal((await takeNow(queue, clocks))?.key, 'low')
  assert.equal(queue.depth().ready, 0)
})

test('add() of a key that is worked on gives it to nobody else, and again after done()', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks })
  queue.add('a')
  await takeNow(queue, clocks)
  queue.add('a')
  queue.add('a', { afterMs: 10 })
  assert.deepEqual(queue.depth(), { ready: 0, delayed: 0, active: 1 })
  queue.done('a')
  assert.equal((await takeNow(queue, clocks))?.key, 'a')
  queue.done('a')
  assert.deepEqual(queue.depth(), { ready: 0, delayed: 0, active: 0 })
})

test('add() with a delay hands the key out when it is due, and an earlier wish wins', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks })
  const taken: string[] = []
  for (const _ of [1, 2]) void queue.take().then((found) => found !== undefined && taken.push(found.key))
  queue.add('late', { afterMs: 1000 })
  queue.add('soon', { afterMs: 1000 })
  queue.add('soon', { afterMs: 100 })
  await clocks.advance(99)
  assert.deepEqual(taken, [])
  await clocks.advance(1)
  assert.deepEqual(taken, ['soon'])
  await clocks.advance(900)
  assert.deepEqual(taken, ['soon', 'late'])
})

test('take() passes over a group at its limit: a tenant whose work never ends delays nobody', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks, groupOf, groupMax: 2 })
  for (let index = 0; index < 100; index += 1) queue.add(`noisy/${index}`)
  queue.add('quiet/1')
  const taken = [await takeNow(queue, clocks), await takeNow(queue, clocks), await takeNow(queue, clocks), await takeNow(queue, clocks)]
  assert.deepEqual(
    taken.map((each) => each && groupOf(each.key)),
    ['noisy', 'quiet', 'noisy', undefined],
  )
})

test('take() lets groups take turns, however many keys each has', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks, groupOf })
  for (let index = 0; index < 50; index += 1) queue.add(`a/${index}`)
  for (let index = 0; index < 3; index += 1) queue.add(`b/${index}`)
  queue.add('c/0')
  const order: string[] = []
  for (let index = 0; index < 8; index += 1) order.push(groupOf((await takeNow(queue, clocks))?.key ?? ''))
  assert.deepEqual(order, ['a', 'b', 'c', 'a', 'b', 'a', 'b', 'a'])
})

test('shutDown() ends every wait and takes nothing more', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks })
  const waiting = queue.take()
  queue.add('later', { afterMs: 10 })
  queue.shutDown()
  assert.equal(await waiting, undefined)
  queue.add('a')
  assert.equal(await queue.take(), undefined)
  assert.equal(clocks.pending(), 0)
})

type Step =
  | { readonly kind: 'add'; readonly key: string; readonly priority: number; readonly afterMs: number }
  | { readonly kind: 'take' }
  | { readonly kind: 'done'; readonly which: number }
  | { readonly kind: 'advance'; readonly ms: number }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    key: fc.constantFrom('a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'c/1'),
    priority: fc.integer({ min: -1, max: 1 }),
    afterMs: fc.constantFrom(0, 0, 0, 5, 20),
  }),
  fc.record({ kind: fc.constant('take' as const) }),
  fc.record({ kind: fc.constant('done' as const), which: fc.nat(10) }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(12) }),
)

/** What the queue promises, written down as plainly as possible. */
class Model {
  readonly wished = new Map<string, { priority: number; readyAt: number }>()
  readonly active = new Map<string, { priority: number; readyAt: number } | undefined>()

  add(key: string, wish: { priority: number; readyAt: number }): void {
    const places = this.active.has(key) ? this.active : this.wished
    const known = places.get(key)
    const readyAt = Math.min(wish.readyAt, known?.readyAt ?? Infinity)
    places.set(key, { priority: Math.max(wish.priority, known?.priority ?? -Infinity), readyAt })
  }

  /** Keys that may be handed out now. */
  eligible(now: number, groupMax: number): string[] {
    const busy = (key: string): number => [...this.active.keys()].filter((each) => groupOf(each) === groupOf(key)).length
    const ready = [...this.wished].filter(([key, { readyAt }]) => readyAt <= now && busy(key) < groupMax)
    const top = Math.max(...ready.map(([, { priority }]) => priority))
    return ready.filter(([, { priority }]) => priority === top).map(([key]) => key)
  }

  take(key: string): void {
    this.wished.delete(key)
    this.active.set(key, undefined)
  }

  done(key: string): void {
    const again = this.active.get(key)
    this.active.delete(key)
    if (again !== undefined) this.wished.set(key, again)
  }
}

test('take() never gets a key a millisecond early because another one is due', async () => {
  const clocks = createFakeClocks()
  const queue = createWorkQueue({ clocks, groupOf })
  queue.add('a/1', { afterMs: 20 })
  queue.add('b/2', { afterMs: 19 })
  await clocks.advance(19)
  assert.equal((await takeNow(queue, clocks))?.key, 'b/2')
  assert.equal(await takeNow(queue, clocks), undefined)
  await clocks.advance(1)
  assert.equal(queue.depth().active, 2)
})

test('the queue hands out what its model says: no key twice at a time, none too early, none lost, groups within limits, the most urgent first', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 80 }), fc.integer({ min: 1, max: 3 }), async (steps, groupMax) => {
      const clocks = createFakeClocks()
      const queue = createWorkQueue({ clocks, groupOf, groupMax })
      const model = new Model()
      let waiting = 0
      const wrong: string[] = []
      const take = (): void => {
        waiting += 1
        void queue.take().then((taken) => {
          waiting -= 1
          const key = taken?.key ?? 'nothing'
          if (model.active.has(key)) wrong.push(`${key} twice`)
          if (!model.eligible(clocks.monotonic(), groupMax).includes(key)) wrong.push(`${key} out of turn`)
          model.take(key)
        })
      }
      for (const step of steps) {
        if (step.kind === 'add') {
          // The queue may hand it out before `add` returns.
          model.add(step.key, { priority: step.priority, readyAt: clocks.monotonic() + step.afterMs })
          queue.add(step.key, step)
        } else if (step.kind === 'take') take()
        else if (step.kind === 'advance') await clocks.advance(step.ms)
        else {
          const key = [...model.active.keys()][step.which % Math.max(1, model.active.size)]
          if (key === undefined) continue
          model.done(key)
          queue.done(key)
        }
        await clocks.advance(0)
        assert.deepEqual(wrong, [])
        assert.ok(waiting === 0 || model.eligible(clocks.monotonic(), groupMax).length === 0, 'a worker waits though there is work')
      }
      // Nothing is lost: with time and workers everything that was asked for is handed out.
      for (let round = 0; round < 20; round += 1) {
        await clocks.advance(25)
        for (const key of model.active.keys()) {
          model.done(key)
          queue.done(key)
        }
        if (waiting === 0) take()
        await clocks.advance(0)
      }
      assert.deepEqual(wrong, [])
      assert.deepEqual([...model.wished.keys()], [])
      assert.equal(queue.depth().ready + queue.depth().delayed, 0)
    }),
    { numRuns: 300 },
  )
})
