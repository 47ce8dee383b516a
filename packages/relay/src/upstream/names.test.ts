import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { mock, test } from 'node:test'
import { FRESH_MS, NEGATIVE_MS, STALE_MS, STALE_WAIT_MS, UpstreamNames } from './names.ts'
import type { Resolve } from './names.ts'

const A = [{ address: '192.0.2.1', family: 4 }]
const B = [
  { address: '2001:db8::2', family: 6 },
  { address: '192.0.2.2', family: 4 },
]

type Heard = { readonly error: string | undefined; readonly addresses: unknown; readonly family: unknown }

class Bench {
  nowMs = 1_000_000
  readonly asked: { readonly name: string; readonly done: Parameters<Resolve>[1] }[] = []
  readonly names = new UpstreamNames(
    (name, done) => this.asked.push({ name, done }),
    () => this.nowMs,
  )

  find(name = 'engine.example', all = true): Promise<Heard> {
    return new Promise((resolve) =>
      this.names.lookup(name, { all }, (error, addresses, family) => resolve({ error: error?.message, addresses, family })),
    )
  }

  answer(addresses: readonly LookupAddress[] | Error): void {
    const { done } = this.asked.at(-1) ?? assert.fail('nobody has asked')
    if (addresses instanceof Error) done(addresses, [])
    else done(null, addresses)
  }
}

test('UpstreamNames asks once for a name however many connections wait for it', async () => {
  const bench = new Bench()
  const waiting = Array.from({ length: 50 }, () => bench.find())
  assert.equal(bench.asked.length, 1)
  bench.answer(B)
  for (const heard of await Promise.all(waiting)) assert.deepEqual(heard.addresses, B)
  await bench.find()
  assert.equal(bench.asked.length, 1)
})

test('UpstreamNames gives one address where one is wanted', async () => {
  const bench = new Bench()
  const waiting = bench.find('engine.example', false)
  bench.answer(B)
  assert.deepEqual(await waiting, { error: undefined, addresses: '2001:db8::2', family: 6 })
})

test('UpstreamNames asks again for an answer that is no longer fresh, and takes the new one', async () => {
  const bench = new Bench()
  void bench.find()
  bench.answer(A)
  bench.nowMs += FRESH_MS + 1
  const waiting = bench.find()
  assert.equal(bench.asked.length, 2)
  bench.answer(B)
  assert.deepEqual((await waiting).addresses, B)
})

test('UpstreamNames remembers for a while that a name cannot be resolved, and no longer', async () => {
  const bench = new Bench()
  const waiting = bench.find()
  bench.answer(new Error('ENOTFOUND'))
  assert.equal((await waiting).error, 'ENOTFOUND')
  assert.equal((await bench.find()).error, 'ENOTFOUND')
  assert.equal(bench.asked.length, 1)
  bench.nowMs += NEGATIVE_MS + 1
  const again = bench.find()
  assert.equal(bench.asked.length, 2)
  bench.answer(A)
  assert.deepEqual((await again).addresses, A)
})

test('UpstreamNames keeps the last good answer while the resolver fails, and for no longer than it says', async () => {
  const bench = new Bench()
  void bench.find()
  bench.answer(A)
  bench.nowMs += STALE_MS - NEGATIVE_MS
  const waiting = bench.find()
  bench.answer(new Error('EAI_AGAIN'))
  assert.deepEqual((await waiting).addresses, A)
  // And the resolver, which is in trouble, is left alone.
  assert.deepEqual((await bench.find()).addresses, A)
  assert.equal(bench.asked.length, 2)
  bench.nowMs += NEGATIVE_MS + 1
  const last = bench.find()
  bench.answer(new Error('EAI_AGAIN'))
  assert.equal((await last).error, 'EAI_AGAIN')
})

test('UpstreamNames does not let a resolver that hangs hold up a name that was resolved before', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const bench = new Bench()
    void bench.find()
    bench.answer(A)
    bench.nowMs += FRESH_MS + 1
    const waiting = bench.find()
    mock.timers.tick(STALE_WAIT_MS)
    assert.deepEqual((await waiting).addresses, A)
    // Its answer is taken when it comes.
    bench.answer(B)
    assert.deepEqual((await bench.find()).addresses, B)
  } finally {
    mock.timers.reset()
  }
})

test('UpstreamNames takes an answer without addresses for a failure', async () => {
  const bench = new Bench()
  const waiting = bench.find()
  bench.answer([])
  assert.match((await waiting).error ?? '', /no address/)
})

test('UpstreamNames keeps a bounded number of names, those used last', async () => {
  const bench = new Bench()
  for (let i = 0; i < 1100; i += 1) {
    void bench.find(`name-${i}`)
    bench.answer(A)
    void bench.find('name-0')
  }
  assert.equal(bench.asked.length, 1100)
  await bench.find('name-0')
  assert.equal(bench.asked.length, 1100)
  void bench.find('name-1')
  assert.equal(bench.asked.length, 1101)
})
