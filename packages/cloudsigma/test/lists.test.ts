import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudSigmaError } from '../src/errors.ts'
import { isOwnedBy } from '../src/objects.ts'
import { OWNER, STRANGER, clientOf, pageOf, serverJson, startScriptedCloud } from './scripted-cloud.ts'

const uuidAt = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
const serversUpTo = (count: number): object[] => Array.from({ length: count }, (_, index) => serverJson(uuidAt(index)))

for (const count of [0, 1, 19, 20, 21, 99, 100, 101, 199, 200, 250]) {
  test(`R-13: list() gives all of ${count} servers, with an explicit limit on every page`, async () => {
    await using cloud = await startScriptedCloud((asked) => pageOf(serversUpTo(count), asked))
    await using client = clientOf(cloud)
    const found = await client.servers.list()
    assert.deepEqual(
      found.map(({ uuid }) => uuid),
      serversUpTo(count).map((_, index) => uuidAt(index)),
    )
    assert.ok(cloud.asked.every(({ query }) => query.get('limit') === '100'))
  })
}

test('R-13: list() goes on where the API gives fewer than were asked for', async () => {
  await using cloud = await startScriptedCloud((asked) => {
    const clamped = new URLSearchParams(asked.query)
    clamped.set('limit', '20')
    return pageOf(serversUpTo(70), { query: clamped })
  })
  await using client = clientOf(cloud)
  assert.equal((await client.servers.list()).length, 70)
})

test('a server that gives far more than a page at once never overflows the stack', async () => {
  const all = Array.from({ length: 150_000 }, (_, index) => ({ uuid: uuidAt(index) }))
  await using cloud = await startScriptedCloud(() => pageOf(all, { query: new URLSearchParams('limit=0') }))
  await using client = clientOf(cloud)
  const failure: unknown = await client.servers.list().then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(failure === undefined || failure instanceof CloudSigmaError, String(failure))
})

for (const [what, change] of [
  ['one that was read is deleted', (all: object[]) => void all.splice(5, 1)],
  ['one is made before those that were read', (all: object[]) => void all.unshift(serverJson(uuidAt(900)))],
  [
    'one is deleted and another is made, so that the total stays',
    (all: object[]) => {
      all.splice(5, 1)
      all.push(serverJson(uuidAt(901)))
    },
  ],
] as const) {
  test(`R-13: list() misses and repeats nothing when ${what} between two pages`, async () => {
    const all = serversUpTo(230)
    let changed = false
    await using cloud = await startScriptedCloud((asked) => {
      if (!changed && Number(asked.query.get('offset')) > 0) {
        change(all)
        changed = true
      }
      return pageOf(all, asked)
    })
    await using client = clientOf(cloud)
    const found = (await client.servers.list()).map(({ uuid }) => uuid)
    assert.deepEqual(
      found,
      all.map((each) => (each as { uuid: string }).uuid),
    )
  })
}

test('R-13: list() begins again when a page repeats what another had', async () => {
  const all = serversUpTo(150)
  let isFirst = true
  await using cloud = await startScriptedCloud((asked) => {
    const offset = Number(asked.query.get('offset'))
    if (offset === 0 || !isFirst) return pageOf(all, asked)
    isFirst = false
    // One that was on the first page stands in the place of another.
    return pageOf(all.with(120, all[3] ?? {}), asked)
  })
  await using client = clientOf(cloud)
  assert.equal(new Set((await client.servers.list()).map(({ uuid }) => uuid)).size, 150)
})

test('R-13: list() takes a list that never holds still in one answer', async () => {
  const all = serversUpTo(150)
  await using cloud = await startScriptedCloud((asked) => {
    if (Number(asked.query.get('offset')) > 0) all.shift()
    return pageOf(all, asked)
  })
  await using client = clientOf(cloud)
  assert.equal((await client.servers.list()).length, all.length)
  assert.equal(cloud.asked.at(-1)?.query.get('limit'), '0')
})

test('R-13: list() says so when not even one answer holds what it counts', async () => {
  await using cloud = await startScriptedCloud(() => ({
    status: 200,
    body: { meta: { total_count: 3 }, objects: [serverJson(uuidAt(1))] },
  }))
  await using client = clientOf(cloud)
  await assert.rejects(client.servers.list(), (error: unknown) => error instanceof CloudSigmaError && error.fault.kind === 'malformed')
})

test('3.4: list() without a total_count is no list', async () => {
  for (const meta of [undefined, null, {}, { total_count: -1 }, { total_count: 'many' }]) {
    await using cloud = await startScriptedCloud(() => ({ status: 200, body: { meta, objects: [] } }))
    await using client = clientOf(cloud)
    await assert.rejects(client.servers.list(), (error: unknown) => error instanceof CloudSigmaError && error.fault.kind === 'malformed')
  }
})

test('3.1: list() takes a total_count that is a float', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: '{"meta": {"total_count": 0.0}, "objects": []}' }))
  await using client = clientOf(cloud)
  assert.deepEqual(await client.servers.list(), [])
})

test('3.4: filters go as the API names them, and the summary asks for four fields', async () => {
  await using cloud = await startScriptedCloud((asked) => pageOf([], asked))
  await using client = clientOf(cloud)
  await client.servers.list({ name: 'a', nameContains: 'b', uuids: [uuidAt(1), uuidAt(2)], tags: ['x', 'y'] })
  await client.servers.summaries()
  const [detail, summary] = cloud.asked
  assert.equal(detail?.path, '/api/2.0/servers/detail/')
  assert.deepEqual(Object.fromEntries(detail?.query ?? []), {
    name: 'a',
    name__contains: 'b',
    uuid: `${uuidAt(1)},${uuidAt(2)}`,
    tag: 'x,y',
    limit: '100',
    offset: '0',
  })
  assert.deepEqual([summary?.path, summary?.query.get('fields')], ['/api/2.0/servers/', 'uuid,name,status,owner'])
})

test('R-15: lists hold what others shared; isOwnedBy() keeps what is one’s own, and an object without an owner is nobody’s', async () => {
  const foreign = serverJson(uuidAt(2), { owner: { uuid: STRANGER, resource_uri: '/' }, permissions: ['LIST'] })
  await using cloud = await startScriptedCloud((asked) =>
    pageOf([serverJson(uuidAt(1)), foreign, serverJson(uuidAt(3), { owner: null })], asked),
  )
  await using client = clientOf(cloud)
  const found = await client.servers.list()
  assert.deepEqual(
    found.map(({ permissions }) => permissions),
    [[], ['LIST'], []],
  )
  assert.deepEqual(
    found.filter(isOwnedBy(OWNER)).map(({ uuid }) => uuid),
    [uuidAt(1)],
  )
})
