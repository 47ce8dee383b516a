import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import { mappingAtSql } from '../src/attribution-sql.ts'
import { planMappings, writeMappings } from '../src/directory/write-mappings.ts'
import type { WantedMapping } from '../src/directory/write-mappings.ts'
import { sqlInstant } from '../src/instants.ts'
import { applyPriceBook, createOrganization, mapAuthId, readStatement, verifyRating } from '../src/index.ts'
import type { NewMapping } from '../src/index.ts'
import { lockRating } from '../src/locks.ts'
import { HOUR, MONTH, TEN, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

type Owner = { readonly organization_id: string | null; readonly user_id: string | null; readonly group_id: string | null } | undefined

async function ownerAt(db: Database, authId: string, at: number): Promise<Owner> {
  const { rows } = await db.query<NonNullable<Owner>>(
    `select organization_id, user_id, group_id from (${mappingAtSql('$1::text', '$2::timestamptz')}) m`,
    [authId, sqlInstant(at)],
  )
  return rows[0]
}

test('as-of resolution equals an oracle that paints a line, whatever was mapped and corrected in whichever order', async () => {
  await using db = await openLedger()
  const organizations = await Promise.all(['A', 'B', 'C'].map(async (name) => (await createOrganization(db, { name })).id))
  // Instants 1 to 12; the oracle is an array of what holds at each of them, painted by hand.
  const TICKS = 12
  const at = (tick: number): number => TEN + tick * 1000
  const act = fc.record({
    owner: fc.option(fc.constantFrom(...organizations), { nil: null }),
    group: fc.constantFrom(null, 'g1', 'g2'),
    from: fc.integer({ min: 0, max: TICKS - 1 }),
    length: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  })
  let serial = 0
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 8 }), async (acts) => {
      serial += 1
      const authId = `auth-${serial}`
      const line: Owner[] = Array.from({ length: TICKS + 6 }, () => undefined)
      const starts = new Set<number>()
      for (const { owner, group, from, length } of acts) {
        const value: Owner = { organization_id: owner, user_id: null, group_id: owner === null ? null : group }
        const before = [...line]
        const next = [...starts].filter((start) => start > from).toSorted((a, b) => a - b)[0] ?? line.length
        const to = length === undefined ? undefined : from + length
        for (let tick = from; tick < (to ?? next) && tick < line.length; tick += 1) line[tick] = value
        const isSame = (a: Owner, b: Owner): boolean =>
          (a?.organization_id ?? null) === (b?.organization_id ?? null) && (a?.group_id ?? null) === (b?.group_id ?? null)
        // Where something begins is decided by what is said, not by whether it differs; a row that says nothing new is none.
        if (!isSame(before[from], value)) starts.add(from)
        if (to !== undefined && !isSame(before[to], value)) starts.add(to)
        const wanted: WantedMapping = {
          authId,
          organizationId: owner,
          userId: null,
          groupId: value.group_id,
          from: at(from),
          to: to === undefined ? undefined : at(to),
        }
        await db.transaction(async (tx) => {
          await lockRating(tx)
          await writeMappings(tx, await planMappings(tx, [wanted]), { recordedBy: undefined })
        })
        const [again] = await planMappings(db, [wanted])
        assert.deepEqual(again?.rows, [], 'said again, it is so already')
      }
      for (const [tick, owner] of line.entries()) {
        const found = await ownerAt(db, authId, at(tick))
        assert.equal(found?.organization_id ?? null, owner?.organization_id ?? null, `organization at ${tick}`)
        assert.equal(found?.group_id ?? null, owner?.group_id ?? null, `group at ${tick}`)
      }
    }),
    { numRuns: 25 },
  )
})

async function tokensOf(db: Database, organizationId: string): Promise<number> {
  const statement = await readStatement(db, { organizationId, month: MONTH, scope: 'operator' })
  return statement?.lines.reduce((sum, line) => sum + Number(line.quantity), 0) ?? 0
}

test('mapAuthId() with an end moves just the records within it, and only their hours are rated again', async () => {
  await using db = await openLedger()
  await applyPriceBook(db, priceBook())
  const acme = await createCustomer(db)
  const beta = await createOrganization(db, { name: 'Beta' })
  // One record of 110 tokens an hour, five hours.
  await deliver(
    db,
    [0, 1, 2, 3, 4].map((hour) => usageRecord({ startedAt: TEN + hour * HOUR + 60_000 })),
  )
  await rateAll(db)
  const mapping: NewMapping = { authId: 'auth-1', organizationId: beta.id, from: TEN + HOUR, to: TEN + 3 * HOUR }
  assert.deepEqual(await mapAuthId(db, mapping), { kind: 'mapped', from: TEN + HOUR, hours: 2 })
  await rateAll(db)
  assert.deepEqual([await tokensOf(db, acme.id), await tokensOf(db, beta.id)], [330, 220])
  assert.equal((await mapAuthId(db, mapping)).kind, 'unchanged')
  assert.deepEqual(await verifyRating(db).then(({ differences }) => differences), [])
})

test('mapAuthId() overrules only when a correction is asked for, and what it overrules stays', async () => {
  await using db = await openLedger()
  await applyPriceBook(db, priceBook())
  const acme = await createCustomer(db)
  const beta = await createOrganization(db, { name: 'Beta' })
  await deliver(db, [usageRecord()])
  await rateAll(db)
  const wrong: NewMapping = { authId: 'auth-1', organizationId: beta.id, from: 'beginning' }
  assert.deepEqual(await mapAuthId(db, wrong), { kind: 'conflict', from: 'beginning', organizationId: acme.id })
  assert.deepEqual(await mapAuthId(db, { ...wrong, correct: true, recordedBy: 'ann' }), { kind: 'mapped', from: 'beginning', hours: 1 })
  await rateAll(db)
  assert.deepEqual([await tokensOf(db, acme.id), await tokensOf(db, beta.id)], [0, 110])
  const { rows } = await db.query('select organization_id, revision, recorded_by from auth_mapping order by revision')
  assert.deepEqual(rows, [
    { organization_id: acme.id, revision: 0, recorded_by: null },
    { organization_id: beta.id, revision: 1, recorded_by: 'ann' },
  ])
})

test('a mapping is never overwritten or deleted, whoever tries', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  for (const sql of ['update auth_mapping set user_id = null', 'delete from auth_mapping', 'delete from organization_version'])
    await assert.rejects(db.query(sql), { sqlstate: '23001' }, sql)
  assert.equal((await ownerAt(db, 'auth-1', TEN))?.organization_id, acme.id)
})

test('mapAuthId() takes no end before its beginning, and no group of another organization', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const beta = await createOrganization(db, { name: 'Beta' })
  const mapping: NewMapping = { authId: 'auth-9', organizationId: acme.id }
  await assert.rejects(mapAuthId(db, { ...mapping, from: TEN, to: TEN }), { code: 'LEDGER_INPUT' })
  await assert.rejects(mapAuthId(db, { ...mapping, to: TEN }), { code: 'LEDGER_INPUT' })
  await db.query("insert into group_version (group_id, valid_from, organization_id) values ('g', '-infinity', $1)", [beta.id])
  assert.deepEqual(await mapAuthId(db, { ...mapping, groupId: 'g' }), { kind: 'group_elsewhere', organizationId: beta.id })
  assert.equal((await mapAuthId(db, { ...mapping, groupId: 'unknown' })).kind, 'mapped')
})
