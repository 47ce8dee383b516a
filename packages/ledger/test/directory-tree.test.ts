import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import {
  createOrganization,
  findOrganization,
  listOrganizations,
  moveOrganization,
  readHistory,
  renameOrganization,
  syncDirectory,
} from '../src/index.ts'
import { openLedger } from './support.ts'

async function organizations(db: Database, count: number): Promise<readonly string[]> {
  const made: string[] = []
  for (let index = 0; index < count; index += 1) made.push((await createOrganization(db, { name: `O${index}` })).id)
  return made
}

test('moveOrganization() refuses a circle, of any length, and oneself', async () => {
  await using db = await openLedger()
  const [a = '', b = '', c = ''] = await organizations(db, 3)
  assert.equal(await moveOrganization(db, { id: b, parentId: a }), 'moved')
  assert.equal(await moveOrganization(db, { id: c, parentId: b }), 'moved')
  assert.equal(await moveOrganization(db, { id: a, parentId: c }), 'circle')
  assert.equal(await moveOrganization(db, { id: a, parentId: a }), 'circle')
  assert.equal(await moveOrganization(db, { id: c, parentId: b }), 'unchanged')
  assert.deepEqual(
    (await listOrganizations(db, { parentId: a })).map(({ id }) => id),
    [b],
  )
  assert.equal(await moveOrganization(db, { id: b, parentId: null }), 'moved')
  assert.equal(await moveOrganization(db, { id: a, parentId: c }), 'moved', 'the chain was cut')
  assert.equal(await moveOrganization(db, { id: a, parentId: '00000000-0000-7000-8000-000000000000' }), 'unknown_parent')
})

test('two movers at once make no circle: the database lets one of them', async () => {
  await using db = await openLedger()
  for (let round = 0; round < 10; round += 1) {
    const [a = '', b = '', c = ''] = await organizations(db, 3)
    const outcomes = await Promise.all([
      moveOrganization(db, { id: a, parentId: b }),
      moveOrganization(db, { id: b, parentId: c }),
      moveOrganization(db, { id: c, parentId: a }),
    ])
    assert.equal(outcomes.filter((outcome) => outcome === 'circle').length, 1, outcomes.join())
  }
})

test('the database itself refuses a circle, from whoever writes past our functions, also one yet to come', async () => {
  await using db = await openLedger()
  const [a = '', b = ''] = await organizations(db, 2)
  const insert = 'insert into organization_parent (organization_id, parent_id, valid_from) values ($1, $2, $3)'
  await db.query(insert, [a, b, '2030-01-01T00:00:00Z'])
  // Before 2030 b may stand under a; from then on a stands under b.
  await assert.rejects(db.query(insert, [b, a, '2029-01-01T00:00:00Z']), { sqlstate: '23514' })
  await db.query(insert, [b, null, '2029-06-01T00:00:00Z'])
  await db.query(insert, [b, a, '2029-01-01T00:00:00Z'])
  await assert.rejects(db.query(insert, [b, a, '2031-01-01T00:00:00Z']), { sqlstate: '23514' })
  await assert.rejects(
    db.transaction((tx) => tx.query(insert, [a, b, '2040-01-01T00:00:00Z']), { isolation: 'repeatable read' }),
    { sqlstate: '25000' },
    'one old snapshot would not see what others committed',
  )
})

test('there is no circle at any instant, whatever was moved in whichever order', async () => {
  await using db = await openLedger()
  const ids = await organizations(db, 4)
  const at = (tick: number): number => Date.UTC(2031, 0, 1 + tick)
  const move = fc.record({ id: fc.nat(3), parent: fc.option(fc.nat(3), { nil: null }), tick: fc.nat(5) })
  await fc.assert(
    fc
      .asyncProperty(fc.array(move, { minLength: 1, maxLength: 10 }), async (moves) => {
        for (const { id, parent, tick } of moves) {
          await moveOrganization(db, { id: ids[id] ?? '', parentId: parent === null ? null : (ids[parent] ?? ''), from: at(tick) })
        }
        for (let tick = 0; tick <= 5; tick += 1) {
          const { rows } = await db.query<{ organization_id: string; parent_id: string | null }>(
            `select distinct on (organization_id) organization_id, parent_id from organization_parent where valid_from <= $1
             order by organization_id, valid_from desc, revision desc`,
            [new Date(at(tick)).toISOString()],
          )
          const parents = new Map(rows.map((row) => [row.organization_id, row.parent_id]))
          for (const start of ids) {
            let [above, steps] = [parents.get(start) ?? null, 0]
            for (; above !== null && steps <= ids.length; steps += 1) above = parents.get(above) ?? null
            assert.ok(steps <= ids.length, `a circle at ${tick}`)
          }
        }
      })
      .afterEach(async () => {
        await db.query('truncate organization_parent')
      }),
    { numRuns: 15 },
  )
})

test('renameOrganization() keeps every name it ever had, and finds it by the one of now', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  assert.equal(await renameOrganization(db, { id, name: 'Apex', recordedBy: 'ann' }), 'renamed')
  assert.equal(await renameOrganization(db, { id, name: 'Apex' }), 'unchanged')
  assert.equal(await findOrganization(db, 'Acme'), undefined)
  assert.equal(((await findOrganization(db, 'Apex')) as { id: string }).id, id)
  const history = await readHistory(db, 'organization', id)
  assert.deepEqual(
    history.map(({ kind, says, recordedBy }) => [kind, says['name'], recordedBy]),
    [
      ['organization', 'Acme', undefined],
      ['organization', 'Apex', 'ann'],
    ],
  )
})

test('createOrganization() takes the id of the platform once, and a parent that is there', async () => {
  await using db = await openLedger()
  const id = '0192aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee'
  const parent = await createOrganization(db, { name: 'Parent' })
  assert.deepEqual((await createOrganization(db, { name: 'Child', id, parentId: parent.id })).parentId, parent.id)
  await assert.rejects(createOrganization(db, { name: 'Again', id }), { code: 'LEDGER_INPUT' })
  await assert.rejects(createOrganization(db, { name: 'X', id: 'acme' }), { code: 'LEDGER_INPUT' })
  await assert.rejects(createOrganization(db, { name: 'X', parentId: '00000000-0000-7000-8000-000000000000' }), { code: 'LEDGER_INPUT' })
  assert.deepEqual(
    (await listOrganizations(db)).map(({ name, parentId }) => [name, parentId]),
    [
      ['Parent', undefined],
      ['Child', parent.id],
    ],
  )
})

test('a renamed or moved organization keeps its end, and its end keeps its name', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  await syncDirectory(db, { organizations: [{ id, name: 'Acme' }] }, { source: 's' })
  await syncDirectory(db, { organizations: [] }, { source: 's', deleteMissing: true, force: true })
  assert.equal(await renameOrganization(db, { id, name: 'Gone' }), 'renamed')
  const found = await findOrganization(db, id)
  assert(typeof found === 'object')
  assert.deepEqual([found.name, found.ended], ['Gone', true])
})
