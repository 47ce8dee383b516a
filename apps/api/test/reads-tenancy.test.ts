import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { isJsonReply } from '@ascribe/contract'
import { READ_ROUTES, getCharge, listCharges, listRecords } from '@ascribe/contract/reads'
import type { RouteDef } from '@ascribe/contract'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { createTrail, parseAuditSigner, readAccessLog } from '@ascribe/ledger'
import type { Trail } from '@ascribe/ledger'
import { periodOfDays, readCharges } from '@ascribe/ledger/views'
import { startApi } from '../src/index.ts'
import type { Api } from '../src/index.ts'
import { openWorld, operator, read, textOfStream } from './reads-support.ts'
import type { Tenant, World } from './reads-support.ts'
import { serverSecret } from './support.ts'

/*
 * Two organizations with the same kinds of things, each marked; a parent with a child besides. Nothing of one is in any reply to another, by
 * any read, export, cursor or id. Driven by the contract, so that a read that is added tomorrow is tested too.
 */

let world: World
let api: Api
let trail: Trail
const charges = new Map<string, string>()

before(async () => {
  world = await openWorld()
  const { privateKey } = generateKeyPairSync('ed25519')
  const signer = parseAuditSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'the test')
  trail = createTrail({ db: world.db, signer, logger: silentLogger })
  const deps = { db: world.db, trail, serverSecret, logger: silentLogger, meters: silentMeters }
  api = await startApi({ host: '127.0.0.1', port: 0 }, deps)
  for (const { id } of [world.parent, world.child, world.stranger]) {
    const period = periodOfDays({ from: '2026-03-01', to: '2026-04-20' })
    const [charge] = (await readCharges(world.db, { organizationId: id, period, limit: 1 })).charges
    charges.set(id, charge?.id ?? '')
  }
})
after(async () => {
  await api[Symbol.asyncDispose]()
  await trail[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

const DIMENSIONS = ['organization', 'apiKey', 'user', 'group', 'resource', 'region', 'model', 'meter']

/** Queries that make each read say as much as it can. */
function queriesOf(def: RouteDef): readonly Readonly<Record<string, string>>[] {
  const window = { from: '2026-03-01', to: '2026-04-20' }
  switch (def.operationId) {
    case 'getDailyCostBreakdown':
    case 'getDailyCosts':
      return [{ startDate: window.from, endDate: window.to }]
    case 'getCosts':
      return [
        { ...window, groupBy: 'organization,apiKey,user,group,resource,region,model,meter,category,price', children: 'true' },
        { ...window, grain: 'total', compare: 'previous', groupBy: 'user' },
      ]
    case 'getUsage':
      return [{ ...window, groupBy: 'organization,apiKey,user,group,resource,region,model', children: 'true' }]
    case 'listCharges':
    case 'listRecords':
      return [{ ...window, limit: '200' }]
    case 'exportCharges':
      return [
        { ...window, format: 'csv' },
        { ...window, format: 'focus' },
      ]
    case 'listMachines':
    case 'getMachine':
      return [window]
    case 'listResources':
      return [window, { ...window, kind: 'vm' }]
    case 'getCatalogue':
      return [{ children: 'true' }]
    case 'getFreshness':
      return [{ ...window, children: 'true' }]
    default:
      return [{}]
  }
}

/** Each path of a read that is about things of `owner`, asked of `asked`. */
function pathsOf(def: RouteDef, asked: Tenant, owner: Tenant): readonly string[] {
  const filled = def.path
    .replace('{id}', asked.id)
    .replace('{charge}', charges.get(owner.id) ?? '')
    .replace('{record}', owner.eventIds[0] ?? '')
    .replace('{invoice}', owner.invoiceId)
    .replace('{machine}', owner.machineId)
  return filled.includes('{dimension}') ? DIMENSIONS.map((dimension) => filled.replace('{dimension}', dimension)) : [filled]
}

const search = (query: Readonly<Record<string, string>>): string => {
  const text = new URLSearchParams(query).toString()
  return text === '' ? '' : `?${text}`
}

type Reply = { readonly status: number; readonly text: string; readonly body: unknown; readonly headers: Headers }

async function get(path: string, key: string): Promise<Reply> {
  const response = await fetch(api.url + path, { signal: AbortSignal.timeout(5000), headers: { authorization: `Bearer ${key}` } })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return { status: response.status, text, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : undefined }
}

/** Nothing that is not there to be seen: names, mail addresses, ids of anything of another one; nor anything secret of one's own. */
function assertNothingOf(others: readonly Tenant[], reply: string, what: string): void {
  for (const { id, mark, key, authId, invoiceId, machineId, eventIds } of others) {
    for (const canary of [id, mark, key, authId, invoiceId, machineId, ...eventIds])
      assert.ok(!reply.includes(canary), `${what} tells ${canary}`)
  }
  assert.ok(!reply.includes('secret-CANARY'), `${what} tells where alerts go`)
}

test('every read gives its own organization a valid reply over HTTP, with its own data and nothing of another one', async () => {
  for (const [own, others] of [
    [world.child, [world.parent, world.stranger]],
    [world.stranger, [world.parent, world.child]],
    [world.parent, [world.stranger]],
  ] as const) {
    let marked = 0
    for (const def of READ_ROUTES) {
      for (const path of pathsOf(def, own, own)) {
        for (const query of queriesOf(def)) {
          const reply = await get(path + search(query), own.key)
          assert.equal(reply.status, 200, `${path}${search(query)}: ${reply.text}`)
          assert.equal(reply.headers.get('cache-control'), 'private, no-store')
          if (isJsonReply(def.reply)) {
            const parsed = def.reply.safeParse(reply.body)
            assert.ok(parsed.success, `${path} breaks the contract: ${parsed.error?.message ?? ''}`)
          }
          // An organization's id stands in its own paths of replies; the parent of a child in what the child is told of itself.
          const hidden = def.operationId === 'getOrganization' && own === world.child ? [world.stranger] : others
          assertNothingOf(hidden, reply.text, `${def.operationId} of ${own.mark}`)
          assert.ok(!reply.text.includes(own.key), `${def.operationId} tells a key`)
          if (reply.text.includes(own.mark)) marked += 1
        }
      }
    }
    assert.ok(marked > 20, `only ${marked} replies hold anything of ${own.mark}`)
  }
})

test('every read of another organization is 404, whatever is there, as of one that does not exist', async () => {
  const nobody = { ...world.stranger, id: 'ffffffff-ffff-4fff-8fff-ffffffffffff' }
  const timeless = (reply: Reply): unknown => ({ ...(reply.body as object), requestId: '' })
  for (const def of READ_ROUTES.filter(({ path }) => path.includes('{id}'))) {
    for (const query of queriesOf(def)) {
      for (const [index, path] of pathsOf(def, world.stranger, world.stranger).entries()) {
        const theirs = await get(path + search(query), world.child.key)
        const none = await get((pathsOf(def, nobody, world.stranger)[index] ?? '') + search(query), world.child.key)
        assert.equal(theirs.status, 404, path)
        assert.deepEqual(timeless(theirs), timeless(none))
        assertNothingOf([world.stranger], theirs.text, path)
      }
      // Nor its parent's.
      const [up = ''] = pathsOf(def, world.parent, world.parent)
      assert.equal((await get(up + search(query), world.child.key)).status, 404, up)
    }
  }
})

test('ids of another organization’s charge, record or invoice are unknown under one’s own', async () => {
  for (const def of READ_ROUTES.filter(({ path }) => /\{(charge|record|invoice|machine)\}/.test(path))) {
    for (const path of pathsOf(def, world.child, world.stranger)) {
      const reply = await get(path, world.child.key)
      assert.equal(reply.status, 404, path)
      assertNothingOf([world.stranger], reply.text, path)
    }
  }
})

test('a parent reads its children by their ids, by every read; a child its parent by none', async () => {
  for (const def of READ_ROUTES.filter(({ path }) => path.includes('{id}'))) {
    for (const path of pathsOf(def, world.child, world.child)) {
      const reply = await get(path + search(queriesOf(def)[0] ?? {}), world.parent.key)
      assert.equal(reply.status, 200, path)
      const hidden = def.operationId === 'getOrganization' ? [world.stranger] : [world.stranger, world.parent]
      assertNothingOf(hidden, reply.text.replaceAll(world.parent.id, ''), path)
    }
  }
})

test('a child reads in its own log that its parent looked at its costs, in a reply about both too; a stranger reads nothing', async () => {
  const path = `/v1/organizations/${world.parent.id}/costs`
  const query = { from: '2026-03-01', to: '2026-03-31', children: 'true' }
  assert.equal((await get(path + search(query), world.parent.key)).status, 200)
  const log = await readAccessLog(world.db, { organizationId: world.child.id })
  assert.ok(log !== 'bad_cursor')
  const [line] = log.entries
  assert.deepEqual([line?.path, line?.aboutOrganizationId, line?.actor.id], [path, world.parent.id, world.parent.authId])
  const theirs = await readAccessLog(world.db, { organizationId: world.stranger.id })
  assert.ok(theirs !== 'bad_cursor' && theirs.entries.length === 0)
})

test('a cursor of another organization or another question is refused, and a forged one reaches nothing of anybody else', async () => {
  const window = { from: '2026-03-01', to: '2026-04-20' }
  for (const operation of ['charges', 'records', 'costs', 'usage']) {
    const path = (id: string): string => `/v1/organizations/${id}/${operation}`
    const query = { ...window, limit: '1', ...(operation === 'costs' && { groupBy: 'apiKey' }) }
    const theirs = (await get(path(world.stranger.id) + search(query), world.stranger.key)).body as { nextCursor?: string }
    const cursor = theirs.nextCursor ?? ''
    assert.ok(cursor !== '', operation)
    const own = await get(path(world.child.id) + search({ ...query, cursor }), world.child.key)
    assert.deepEqual([own.status, (own.body as { reason: string }).reason], [400, 'validation'], operation)
    const otherQuestion = await get(path(world.stranger.id) + search({ ...query, from: '2026-03-02', cursor }), world.stranger.key)
    assert.equal(otherQuestion.status, 400)
    // Somebody who has read how cursors are made takes a place of others into his own.
    const mine = (await get(path(world.child.id) + search(query), world.child.key)).body as { nextCursor?: string }
    const [digest] = JSON.parse(Buffer.from(mine.nextCursor ?? '', 'base64url').toString()) as string[]
    const [, ...place] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as string[]
    const forged = Buffer.from(JSON.stringify([digest, ...place])).toString('base64url')
    const reply = await get(path(world.child.id) + search({ ...query, limit: '100', cursor: forged }), world.child.key)
    assert.equal(reply.status, 200, reply.text)
    assertNothingOf([world.stranger, world.parent], reply.text, `a forged cursor of ${operation}`)
  }
})

test('cursors of any content are answered without a fault', async () => {
  const forge = (...parts: unknown[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url')
  const first = await read(world.db, listCharges, {
    organizationId: world.child.id,
    query: { from: '2026-03-01', to: '2026-04-20', limit: '1' },
  })
  const [digest] = JSON.parse(Buffer.from(first.reply.nextCursor ?? '', 'base64url').toString()) as string[]
  const cursors = [
    '',
    'x',
    '%00',
    forge(),
    forge(1),
    forge(digest),
    forge(digest, '-1', 'x'),
    forge(digest, '9'.repeat(15), 'x'),
    forge(digest, '1', '\u0000'),
  ]
  for (const cursor of cursors) {
    const path = `/v1/organizations/${world.child.id}/charges`
    const reply = await get(path + search({ from: '2026-03-01', to: '2026-04-20', limit: '1', cursor }), world.child.key)
    assert.ok([200, 400].includes(reply.status), `${cursor}: ${reply.text}`)
  }
})

test('R19: an operator gets no payment methods and no invoice links, by any read', async () => {
  for (const def of READ_ROUTES.filter(({ listeners }) => listeners.includes('internal'))) {
    for (const query of queriesOf(def)) {
      for (const dimension of def.path.includes('{dimension}') ? DIMENSIONS : ['']) {
        const { invoiceId: invoice, machineId: machine, eventIds, id } = world.child
        const [charge, [record = '']] = [charges.get(id) ?? '', eventIds]
        const { reply } = await read<unknown, unknown, unknown, unknown>(world.db, def, {
          organizationId: world.child.id,
          caller: operator,
          params: Object.fromEntries(
            Object.entries({ charge, record, invoice, machine, dimension }).filter(([name]) => def.path.includes(`{${name}}`)),
          ),
          query,
        })
        const text = isJsonReply(def.reply) ? JSON.stringify(reply) : await textOfStream(reply)
        assert.doesNotMatch(text, /webUrl|pdfUrl|htmlPath|paymentMethods|defaultPaymentMethodId|\/html/, def.operationId)
      }
    }
  }
})

test('getCharge() and listRecords() of one organization never find what an id of another names', async () => {
  await assert.rejects(
    read(world.db, getCharge, { organizationId: world.child.id, params: { charge: charges.get(world.stranger.id) ?? '' } }),
  )
  const query = { from: '2026-03-01', to: '2026-04-20', apiKey: world.stranger.authId }
  assert.deepEqual((await read(world.db, listRecords, { organizationId: world.child.id, query })).reply.data, [])
})
