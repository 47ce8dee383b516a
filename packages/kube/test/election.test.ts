import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FencedError, LEASES, LeadershipLostError, createLeaderElection, openFence } from '../src/index.ts'
import type { LeaderElection, LeaderElectionOptions } from '../src/index.ts'
import { createFakeClocks } from '../src/testing.ts'
import { fastClocks, startWorld, until } from './world.ts'
import type { KubeWorld } from './world.ts'
import { createFakeLeases } from './fake-leases.ts'

const LEASE = { namespace: 'a', name: 'lead' }
const clocks = fastClocks(20)

function candidate(it: KubeWorld, identity: string, options: Partial<LeaderElectionOptions> = {}): LeaderElection {
  return createLeaderElection({ client: it.client, ...LEASE, identity, clocks, random: () => 0.5, ...options })
}

type Led = {
  readonly election: LeaderElection
  readonly stop: AbortController
  readonly ended: Promise<unknown>
  leading: AbortSignal | undefined
}

/** Runs a candidate whose work lasts until it is told to end. */
function run(election: LeaderElection): Led {
  const stop = new AbortController()
  const led: Led = { election, stop, leading: undefined, ended: Promise.resolve() }
  const ended = election.run(stop.signal, async (leading) => {
    led.leading = leading
    await new Promise((resolve) => leading.addEventListener('abort', resolve))
  })
  return Object.assign(led, {
    ended: ended.then(
      () => 'done',
      (error: unknown) => error,
    ),
  })
}

test('run() leads when nobody does, renews, and gives the lease back at the end', async () => {
  await using it = await startWorld()
  const one = run(candidate(it, 'one'))
  await until('it leads', () => one.election.isLeader() && one.leading !== undefined)
  one.election.fence.check(5000)
  const first = await it.client.get(LEASES, LEASE)
  assert.equal(first.spec?.holderIdentity, 'one')
  assert.equal(first.spec?.leaseDurationSeconds, 15)
  await until('it is renewed', () => it.kube.log.filter(({ verb, plural }) => verb === 'update' && plural === 'leases').length >= 2)
  one.stop.abort()
  assert.equal(await one.ended, 'done')
  assert.equal(one.election.isLeader(), false)
  assert.throws(() => one.election.fence.check(0), FencedError)
  assert.equal((await it.client.get(LEASES, LEASE)).spec?.holderIdentity, '')
})

test('a second candidate waits, and leads at once when the lease was given back', async () => {
  await using it = await startWorld()
  const one = run(candidate(it, 'one'))
  await until('one leads', () => one.election.isLeader())
  const two = run(candidate(it, 'two'))
  await until('two knows', () => two.election.holder() === 'one')
  assert.equal(two.election.isLeader(), false)
  assert.throws(() => two.election.fence.check(0), /does not hold the lease/)
  one.stop.abort()
  await one.ended
  await until('two leads', () => two.election.isLeader())
  assert.equal((await it.client.get(LEASES, LEASE)).spec?.leaseTransitions, 1)
  two.stop.abort()
  await two.ended
})

test('a leader that cannot renew gives up before its lease ends, and run() says so', async () => {
  await using it = await startWorld()
  const one = run(candidate(it, 'one'))
  await until('one leads', () => one.leading !== undefined)
  it.kube.fault({ match: { verb: 'update', plural: 'leases' }, effect: { kind: 'status', status: 500, reason: 'InternalError' } })
  assert.ok((await one.ended) instanceof LeadershipLostError)
  assert.equal(one.leading?.aborted, true)
  assert.equal(one.election.isLeader(), false)
})

test('a renewal that was written and whose answer was lost counts for nobody but the others', async () => {
  await using it = await startWorld()
  const one = run(candidate(it, 'one'))
  await until('one leads', () => one.leading !== undefined)
  it.kube.fault({ match: { verb: 'update', plural: 'leases' }, effect: { kind: 'resetAfter' }, times: 2 })
  const renewals = (): number =>
    it.kube.log.filter(({ verb, plural, status }) => verb === 'update' && plural === 'leases' && status === 200).length
  const before = renewals()
  await until('it renews again', () => renewals() > before)
  assert.equal(one.election.isLeader(), true)
  one.stop.abort()
  assert.equal(await one.ended, 'done')
})

test('run() waits for what it leads before the lease is given back', async () => {
  await using it = await startWorld()
  const stop = new AbortController()
  const finish = Promise.withResolvers<void>()
  const election = candidate(it, 'one')
  const running = election.run(stop.signal, () => finish.promise)
  await until('it leads', () => election.isLeader())
  stop.abort()
  const renewals = (): number => it.kube.log.filter(({ verb }) => verb === 'update').length
  const before = renewals()
  await until('it still renews', () => renewals() > before + 1)
  assert.equal(it.kube.get('leases', 'a/lead') !== undefined && election.isLeader(), true)
  finish.resolve()
  await running
  assert.equal((await it.client.get(LEASES, LEASE)).spec?.holderIdentity, '')
})

test('what lead() throws ends run() with it, and the lease is given back', async () => {
  await using it = await startWorld()
  const why = new Error('a bug')
  await assert.rejects(
    candidate(it, 'one').run(new AbortController().signal, async () => {
      throw why
    }),
    (error) => error === why,
  )
  assert.equal((await it.client.get(LEASES, LEASE)).spec?.holderIdentity, '')
})

test('openFence passes always', () => {
  openFence.check(1e12)
})

test('the fence closes by the monotonic clock, and by the wall clock, whichever is ahead', async () => {
  const fake = createFakeClocks()
  const leases = createFakeLeases(fake)
  const election = createLeaderElection({ client: leases.client, ...LEASE, identity: 'one', clocks: fake, random: () => 0.5 })
  const stop = new AbortController()
  const running = election.run(stop.signal, (leading) => new Promise((resolve) => leading.addEventListener('abort', () => resolve())))
  await fake.advance(1)
  assert.ok(election.fence.remainingMs() > 13_900)
  election.fence.check(13_000)
  assert.throws(() => election.fence.check(14_000), /may take 14000 ms/)
  // The machine slept: only the wall clock knows.
  fake.setWall(fake.wall() + 12_000)
  assert.throws(() => election.fence.check(5000), FencedError)
  stop.abort()
  await fake.advance(20_000)
  await running.catch(() => {})
})

test('a process that stood still for longer than the gap has lost its leadership, whatever the Lease says', async () => {
  for (const clock of ['monotonic', 'wall'] as const) {
    const fake = createFakeClocks()
    const leases = createFakeLeases(fake)
    const election = createLeaderElection({ client: leases.client, ...LEASE, identity: 'one', clocks: fake, random: () => 0.5 })
    const running = election.run(
      new AbortController().signal,
      (leading) => new Promise((resolve) => leading.addEventListener('abort', () => resolve())),
    )
    const ended = running.catch((error: unknown) => error)
    await fake.advance(1000)
    assert.equal(election.isLeader(), true)
    if (clock === 'wall') fake.setWall(fake.wall() + 6000)
    else fake.freeze(6000)
    await fake.advance(250)
    assert.equal(election.isLeader(), false, clock)
    await fake.advance(6000)
    assert.match(String(await ended), /stood still/)
  }
})

test('whatever delays, drops and pauses three candidates meet, no two ever pass the fence for one instant', async () => {
  const step = fc.record({
    advanceMs: fc.integer({ min: 100, max: 6000 }),
    who: fc.nat(2),
    what: fc.constantFrom('nothing', 'slow', 'lost', 'down', 'pause', 'stop'),
    ms: fc.integer({ min: 100, max: 20_000 }),
  })
  let acts = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const fake = createFakeClocks()
      const leases = createFakeLeases(fake)
      const candidates = ['one', 'two', 'three'].map((identity) => leases.candidate(identity, LEASE))
      for (const { advanceMs, who, what, ms } of steps) {
        candidates[who]?.meet(what, ms)
        for (let passed = 0; passed < advanceMs; passed += 100) {
          await fake.advance(100)
          // A request that begins now and takes as long as it may must end before anybody else begins one.
          for (const each of candidates) if (each.act(3000)) acts += 1
        }
      }
      for (const each of candidates) each.stop.abort()
      await fake.advance(60_000)
      assert.deepEqual(leases.overlaps(), [])
    }),
    { numRuns: 40 },
  )
  assert.ok(acts > 100, 'the property must not hold because nobody ever acts')
})
