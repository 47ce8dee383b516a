import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeters } from '@ascribe/service'
import fc from 'fast-check'
import { createInformers, isKubeError } from '../src/index.ts'
import type { Change, Informer, Informers, KubeConnection } from '../src/index.ts'
import { THINGS, thing, thingKey } from './things.ts'
import type { Thing } from './things.ts'
import { fastClocks, startWorld, until } from './world.ts'
import type { KubeWorld } from './world.ts'

const clocks = fastClocks(40)

function informersOf(connection: KubeConnection): Informers {
  return createInformers({ connection, clocks, random: () => 0.5 })
}

function seen(it: KubeWorld): string[] {
  return it.kube.log
    .filter(({ plural }) => plural === 'things')
    .map(({ verb, query }) => (query['sendInitialEvents'] === 'true' ? 'watchlist' : verb))
}

test('informer() fills its cache with a WatchList, follows changes, and finds objects by index', async () => {
  await using it = await startWorld()
  await it.client.create(THINGS, thing('a', 'one', { owner: 'x' }))
  await using informers = informersOf(it.connection)
  const things = informers.informer(THINGS, {
    indexes: { owner: (object) => (object.spec?.owner === undefined ? [] : [object.spec.owner]) },
  })
  await informers.synced()
  assert.deepEqual(seen(it).slice(1), ['watchlist'])
  assert.equal(things.byIndex('owner', 'x').length, 1)
  await it.client.patch(THINGS, thingKey('a', 'one'), { patch: { type: 'merge', body: { spec: { owner: 'y' } } } })
  await it.client.create(THINGS, thing('b', 'two', { owner: 'y' }))
  await until('both are y', () => things.byIndex('owner', 'y').length === 2)
  assert.deepEqual(things.byIndex('owner', 'x'), [])
  assert.equal(things.list('b').length, 1)
  await it.client.delete(THINGS, thingKey('a', 'one'))
  await until('one is gone', () => things.get(thingKey('a', 'one')) === undefined)
  assert.equal(things.list().length, 1)
})

test('informer() gives all who ask for one resource one cache and one watch', async () => {
  await using it = await startWorld()
  await using informers = informersOf(it.connection)
  const one = informers.informer(THINGS)
  const two = informers.informer(THINGS, { indexes: { size: (object) => [String(object.spec?.size)] } })
  assert.equal(one, two)
  assert.notEqual(informers.informer(THINGS, { namespace: 'a' }), one)
  await informers.synced()
  await until('there are two watches', () => it.kube.openWatches('things') === 2)
  assert.throws(() => one.byIndex('none', 'x'), /no index/)
  assert.deepEqual(one.byIndex('size', '1'), [])
})

test('a cached object is frozen and has no managedFields', async () => {
  await using it = await startWorld()
  it.kube.put('things', { ...thing('a', 'one', { size: 1 }), metadata: { name: 'one', namespace: 'a', managedFields: [{ manager: 'x' }] } })
  await using informers = informersOf(it.connection)
  const things = informers.informer(THINGS)
  await informers.synced()
  const one = things.get(thingKey('a', 'one'))
  assert.ok(one)
  assert.equal(one.metadata.managedFields, undefined)
  assert.throws(() => Object.assign(one.spec ?? {}, { size: 2 }), TypeError)
})

test('a server without WatchList is listed in pages, and is not asked for it again', async () => {
  await using it = await startWorld({ watchList: false, pageMax: 2 })
  for (const name of ['one', 'two', 'three']) await it.client.create(THINGS, thing('a', name, {}))
  it.kube.clearLog()
  await using informers = informersOf(it.connection)
  const things = informers.informer(THINGS)
  await informers.synced()
  assert.equal(things.list().length, 3)
  it.kube.compact()
  it.kube.tick()
  await until('it watches', () => it.kube.openWatches('things') === 1)
  it.kube.endWatches(410)
  await until('it watches again', () => seen(it).filter((verb) => verb === 'list').length >= 3)
  assert.equal(seen(it).filter((verb) => verb === 'watchlist').length, 1)
})

for (const how of ['end', 'reset', 'cut', 410, 429, 500, 'garbage'] as const) {
  test(`client-node-596: a watch that ends with ${how} goes on, and what happened meanwhile is told`, async () => {
    await using it = await startWorld()
    for (const name of ['one', 'two']) await it.client.create(THINGS, thing('a', name, { size: 1 }))
    await using informers = informersOf(it.connection)
    const things = informers.informer(THINGS)
    const changes: Change<Thing>[] = []
    things.onChange((change) => changes.push(change))
    await informers.synced()
    await until('it watches', () => it.kube.openWatches('things') === 1)
    using _closed = it.kube.fault({
      match: { verb: 'watch' },
      effect: { kind: 'status', status: 503, reason: 'ServiceUnavailable' },
      times: 1,
    })
    it.kube.endWatches(how)
    await it.client.delete(THINGS, thingKey('a', 'one'))
    await it.client.patch(THINGS, thingKey('a', 'two'), { patch: { type: 'merge', body: { spec: { size: 2 } } } })
    await it.client.create(THINGS, thing('a', 'three', {}))
    await until('the cache is right', () => things.list().length === 2 && things.get(thingKey('a', 'two'))?.spec?.size === 2)
    await until('three changes are told', () => changes.filter(({ isInitial }) => !isInitial).length >= 3)
    const told = changes.filter(({ isInitial }) => !isInitial).map(({ type, object }) => `${type} ${object.metadata.name}`)
    assert.deepEqual(told.toSorted(), ['added three', 'deleted one', 'updated two'])
  })
}

test('client-node-3020: a silent watch is given up after bookmarks fail to come, and resumes where it was', async () => {
  // 40 times faster: three missing bookmarks are 195 s, here some 5 s.
  const faster = fastClocks(400)
  await using it = await startWorld({ clocks: faster })
  await using informers = createInformers({ connection: it.connection, clocks: faster })
  const things = informers.informer(THINGS)
  await informers.synced()
  await until('it watches', () => it.kube.openWatches('things') === 1)
  // The next watch knows that bookmarks come.
  it.kube.endWatches('end')
  await until('it watches again', () => seen(it).filter((verb) => verb === 'watch').length === 1)
  it.kube.endWatches('silent')
  await it.client.create(THINGS, thing('a', 'one', {}))
  await until('what happened in the silence is there', () => things.get(thingKey('a', 'one')) !== undefined)
  assert.equal(seen(it).filter((verb) => verb === 'list').length, 0)
})

test('a bookmark moves the watch on: it survives a compaction that would have been too much', async () => {
  await using it = await startWorld()
  await using informers = informersOf(it.connection)
  informers.informer(THINGS)
  await informers.synced()
  await until('it watches', () => it.kube.openWatches('things') === 1)
  for (let index = 0; index < 10; index += 1) it.kube.tick()
  it.kube.bookmark()
  const heard = informers.informer(THINGS)
  await until('it is heard', () => heard.silentMs() < 1000)
  it.kube.compact()
  it.kube.clearLog()
  it.kube.endWatches('end')
  await until('it watches again', () => seen(it).length > 0 && it.kube.openWatches('things') === 1)
  assert.deepEqual(seen(it), ['watch'])
})

test('kfc-979: a server that answers 429 is left alone for as long as it says', async () => {
  await using it = await startWorld()
  using _busy = it.kube.fault({
    match: { verb: 'watch' },
    effect: { kind: 'status', status: 429, reason: 'TooManyRequests', retryAfterS: 20 },
    times: 2,
  })
  await using informers = informersOf(it.connection)
  informers.informer(THINGS)
  const start = performance.now()
  await informers.synced()
  // Twice 20 s, 40 times faster.
  assert.ok(performance.now() - start >= 900)
  assert.equal(seen(it).length, 3)
})

test('a handler that throws costs nobody else a change', async () => {
  await using it = await startWorld()
  await using informers = informersOf(it.connection)
  const things = informers.informer(THINGS)
  things.onChange(() => {
    throw new Error('a bug')
  })
  const told: string[] = []
  things.onChange(({ object }) => told.push(object.metadata.name ?? ''))
  await informers.synced()
  await it.client.create(THINGS, thing('a', 'one', {}))
  await it.client.create(THINGS, thing('a', 'two', {}))
  await until('both are told', () => told.length === 2)
})

test('synced() fails after its time, and names what is missing', async () => {
  await using it = await startWorld()
  it.kube.setServed('things', false)
  await using informers = informersOf(it.connection)
  informers.informer(THINGS)
  await assert.rejects(informers.synced({ timeoutMs: 4000 }), /the caches of things were not filled/)
})

test('onChange() tells a late comer what stands, as initial', async () => {
  await using it = await startWorld()
  await it.client.create(THINGS, thing('a', 'one', {}))
  await using informers = informersOf(it.connection)
  const things = informers.informer(THINGS)
  await informers.synced()
  const told: Change<Thing>[] = []
  const stop = things.onChange((change) => told.push(change))
  assert.deepEqual(
    told.map(({ type, isInitial }) => [type, isInitial]),
    [['added', true]],
  )
  stop()
  await it.client.create(THINGS, thing('a', 'two', {}))
  await until('two is there', () => things.list().length === 2)
  assert.equal(told.length, 1)
})

test('metrics count lists, watches and what broke', async () => {
  await using it = await startWorld()
  const meters = createMeters()
  await using informers = createInformers({ connection: it.connection, clocks, meters })
  informers.informer(THINGS)
  await informers.synced()
  await until('it watches', () => it.kube.openWatches('things') === 1)
  it.kube.endWatches(410)
  await until('it was counted', () => meters.render().includes('ascribe_kube_watch_failures_total{reason="Expired",resource="things"} 1'))
})

type Step =
  | { readonly kind: 'put' | 'delete'; readonly name: string }
  | { readonly kind: 'end'; readonly how: 'end' | 'reset' | 'cut' | 410 | 429 | 500 | 'garbage' }
  | { readonly kind: 'compact' | 'bookmark' | 'tick' | 'refuse' | 'breakList' }
  | { readonly kind: 'watchList'; readonly isOn: boolean }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('put' as const, 'delete' as const), name: fc.constantFrom('n0', 'n1', 'n2', 'n3', 'n4') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      how: fc.constantFrom('end' as const, 'reset' as const, 'cut' as const, 410 as const, 429 as const, 500 as const, 'garbage' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('compact' as const, 'bookmark' as const, 'tick' as const, 'refuse' as const, 'breakList' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('watchList' as const), isOn: fc.boolean() }) },
)

function act(it: KubeWorld, { step, size }: { readonly step: Step; readonly size: number }): void {
  switch (step.kind) {
    case 'put':
      return void it.kube.put('things', thing('a', step.name, { size }))
    case 'delete':
      return it.kube.remove('things', `a/${step.name}`)
    case 'end':
      return void it.kube.endWatches(step.how)
    case 'refuse':
      return void it.kube.fault({ effect: { kind: 'status', status: 500, reason: 'InternalError' }, times: 1 })
    case 'breakList':
      return void it.kube.fault({ match: { verb: 'list' }, effect: { kind: 'resetAfter' }, times: 1 })
    case 'watchList':
      return it.kube.setWatchList(step.isOn)
    default:
      return it.kube[step.kind]()
  }
}

/** Everything that was told, played back. Fails on a story that cannot be. */
function auditor(things: Informer<Thing>): Map<string, number | undefined> {
  const story = new Map<string, number | undefined>()
  things.onChange(({ type, object, previous }) => {
    const name = object.metadata.name ?? ''
    assert.equal(story.has(name), type !== 'added', `${type} ${name}`)
    if (previous !== undefined) assert.equal(story.get(name), previous.spec?.size)
    if (type === 'deleted') story.delete(name)
    else story.set(name, object.spec?.size)
  })
  return story
}

test('informer(): whatever breaks whenever, cache and told changes end as what stands, and none is skipped for good', async () => {
  const faster = fastClocks(1000)
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), fc.infiniteStream(fc.nat(3)), async (steps, pauses) => {
      await using it = await startWorld({ pageMax: 2 })
      await using informers = createInformers({ connection: it.connection, clocks: faster })
      const things = informers.informer(THINGS)
      const story = auditor(things)
      let size = 0
      for (const step of steps) {
        act(it, { step, size: ++size })
        // Some steps follow at once, others after the watch has had time to see the one before.
        for (let pause = Number(pauses.next().value) * 3; pause > 0; pause -= 1) await new Promise(setImmediate)
      }
      it.kube.put('things', thing('a', 'last', { size: ++size }))
      const now = (): string => JSON.stringify(it.kube.list('things').map((object) => [object['metadata'], object['spec']]))
      const cached = (): string =>
        JSON.stringify(
          things
            .list()
            .toSorted(byName)
            .map(({ metadata, spec }) => [metadata, spec]),
        )
      await until('the cache is what stands', () => now() === cached())
      assert.deepEqual(story, new Map(things.list().map(({ metadata, spec }) => [metadata.name ?? '', spec?.size])))
    }),
    { numRuns: 25 },
  )
})

function byName(one: Thing, other: Thing): number {
  return (one.metadata.name ?? '') < (other.metadata.name ?? '') ? -1 : 1
}

test('KubeConnection.stream() fails when the head is no 200', async () => {
  await using it = await startWorld()
  it.kube.setServed('things', false)
  const opening = it.connection.stream({
    path: '/apis/test.ascribe.dev/v1/things',
    query: { watch: true },
    operation: 'watch things',
    silenceMs: 1000,
  })
  await assert.rejects(opening, (error) => isKubeError(error, 'NotServed'))
})
