import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import type { UsageRecord } from '@ascribe/usage'
import {
  applyPriceBook,
  createOrganization,
  listOrganizations,
  mapAuthId,
  rateDirtyHours,
  readStatement,
  usageReport,
  verifyRating,
} from '../src/index.ts'
import { HOUR, MONTH, TEN, deliver, dumpDerived, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

/*
 * Whatever comes in whatever order: the charges are those of an oracle that knows nothing of SQL, hours that are dirty, batches or
 * locks. It has its own price arithmetic too: rates are written down as integers of 10^-18 and the price book's text made from them.
 */

const AUTH_IDS = ['a', 'b', 'c']
const MODELS = ['m1', 'm2', 'm3', 'absent']
const METERS = ['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens', 'input_audio_tokens']
/** Few enough that records share groups and boundaries fall between and upon them. */
const instants = fc.integer({ min: 0, max: 23 }).map((step) => TEN + (step * HOUR) / 8)

type Rates = Readonly<Record<string, Readonly<Record<string, bigint>>>>
type Book = { readonly rates: Rates; readonly from: number | 'beginning' }
type Mapping = { readonly authId: string; readonly organization: number; readonly from: number | 'beginning' }
type Step =
  | { readonly kind: 'deliver'; readonly count: number; readonly again: boolean }
  | { readonly kind: 'rate'; readonly limit: number }
  | ({ readonly kind: 'map' } & Mapping)
  | ({ readonly kind: 'price' } & Book)
type Plan = { readonly records: readonly UsageRecord[]; readonly steps: readonly Step[] }

const record = fc
  .record({
    startedAt: instants,
    authId: fc.constantFrom(...AUTH_IDS),
    resourceId: fc.constantFrom('r1', 'r2'),
    model: fc.constantFrom(...MODELS),
    meters: fc.dictionary(
      fc.constantFrom(...METERS),
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2000 }), fc.constant(Number.MAX_SAFE_INTEGER)),
      {
        maxKeys: 4,
      },
    ),
    outcome: fc.constantFrom('completed', 'completed', 'aborted', 'upstream_error'),
    provenance: fc.constantFrom('reported', 'reported', 'estimated', 'unknown'),
  })
  .map((fields) => usageRecord(fields as Partial<UsageRecord>))

// Odd digits at the 18th place, so that nearly every amount has to be rounded.
const rate = fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 10n ** 13n }), fc.constant(500_000_000n))
const book = fc.record({
  rates: fc.record({ m1: ratesOf(), m2: ratesOf(), m3: ratesOf() }),
  from: fc.oneof(fc.constant('beginning' as const), instants),
})
function ratesOf(): fc.Arbitrary<Readonly<Record<string, bigint>>> {
  return fc.record({ input_tokens: rate, cached_input_tokens: rate, output_tokens: rate })
}

const mapping = fc.record({
  authId: fc.constantFrom(...AUTH_IDS),
  organization: fc.integer({ min: 0, max: 1 }),
  from: fc.oneof(fc.constant('beginning' as const), instants),
})

const plan: fc.Arbitrary<Plan> = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 40 }),
  steps: fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 15 }), again: fc.boolean() }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('rate' as const), limit: fc.integer({ min: 1, max: 3 }) }) },
      { weight: 2, arbitrary: mapping.map((fields) => ({ kind: 'map' as const, ...fields })) },
      { weight: 2, arbitrary: book.map((fields) => ({ kind: 'price' as const, ...fields })) },
    ),
    { maxLength: 16 },
  ),
})

function bookText(rates: Rates): string {
  const decimal = (units: bigint): string => `"0.${units.toString().padStart(18, '0')}"`
  const lines = Object.entries(rates).map(
    ([model, of]) =>
      `  ${model}: { prompt: ${decimal(of['input_tokens'] ?? 0n)}, cached: ${decimal(of['cached_input_tokens'] ?? 0n)}, completion: ${decimal(of['output_tokens'] ?? 0n)} }\n`,
  )
  return `version: 1\nbase_models:\n${lines.join('')}`
}

/** What the ledger accepted of a plan; the oracle works from this alone. */
type Accepted = { readonly books: readonly Book[]; readonly mappings: readonly Mapping[]; readonly organizations: readonly string[] }

async function play(db: Database, { records, steps }: Plan): Promise<Accepted> {
  const organizations = [await createOrganization(db, { name: 'A' }), await createOrganization(db, { name: 'B' })].map(({ id }) => id)
  const [books, mappings]: [Book[], Mapping[]] = [[], []]
  let delivered = 0
  for (const step of steps) {
    switch (step.kind) {
      case 'deliver': {
        const batch = records.slice(delivered, delivered + step.count)
        delivered += batch.length
        await deliver(db, batch)
        // A settler that dies between the commit and its own knowledge of it delivers again.
        if (step.again) await deliver(db, [...batch, ...records.slice(0, delivered)])
        break
      }
      case 'rate':
        await rateDirtyHours(db, { limit: step.limit })
        break
      case 'map': {
        const outcome = await mapAuthId(db, {
          authId: step.authId,
          organizationId: organizations[step.organization] ?? '',
          from: step.from,
        })
        if (outcome.kind === 'mapped') mappings.push(step)
        break
      }
      case 'price': {
        const outcome = await applyPriceBook(db, priceBook({ text: bookText(step.rates), effectiveFrom: step.from }))
        if (outcome.kind === 'applied') books.push(step)
        break
      }
    }
  }
  await deliver(db, records.slice(delivered))
  await rateAll(db)
  return { books, mappings, organizations }
}

const startOf = ({ from }: { readonly from: number | 'beginning' }): number => (from === 'beginning' ? -Infinity : from)

/** The last that starts at or before the instant; of two that start together, the one that came last. */
function latest<Item extends { readonly from: number | 'beginning' }>(items: readonly Item[], at: number): Item | undefined {
  let found: Item | undefined
  for (const item of items) if (startOf(item) <= at && (found === undefined || startOf(item) >= startOf(found))) found = item
  return found
}

/** `hour|organization|auth|resource|model|meter|book -> quantity amount`, one line each. */
function oracle(records: readonly UsageRecord[], { books, mappings, organizations }: Accepted): readonly string[] {
  const sums = new Map<string, { quantity: bigint; readonly rate: bigint }>()
  for (const { startedAt, authId, resourceId, model = '', meters, provenance } of records) {
    const owner = latest(
      mappings.filter((candidate) => candidate.authId === authId),
      startedAt,
    )
    const inForce = latest(books, startedAt)
    if (owner === undefined || inForce === undefined || provenance === 'unknown') continue
    const used = Object.entries(meters).filter(([, quantity]) => quantity > 0)
    const rateOf = (meter: string): bigint | undefined => inForce.rates[model]?.[meter === 'reasoning_tokens' ? 'output_tokens' : meter]
    if (used.some(([meter]) => rateOf(meter) === undefined)) continue
    for (const [meter, quantity] of used) {
      const hour = startedAt - (startedAt % HOUR)
      const key = [hour, organizations[owner.organization], authId, resourceId, model, meter, books.indexOf(inForce)].join('|')
      const sum = sums.get(key) ?? { quantity: 0n, rate: rateOf(meter) ?? 0n }
      sums.set(key, { ...sum, quantity: sum.quantity + BigInt(quantity) })
    }
  }
  return [...sums]
    .map(([key, { quantity, rate: each }]) => {
      const exact = quantity * each
      const floor = exact / 1_000_000_000n
      return `${key} -> ${quantity} ${exact % 1_000_000_000n >= 500_000_000n ? floor + 1n : floor}`
    })
    .toSorted()
}

async function chargedLines(db: Database): Promise<readonly string[]> {
  const { rows } = await db.query<Record<string, unknown>>('select * from charge')
  return rows
    .map((row) => {
      const key = [
        row['hour'],
        row['organization_id'],
        row['auth_id'],
        row['resource_id'],
        row['model'],
        row['meter'],
        Number(row['price_sequence']) - 1,
      ]
      return `${key.join('|')} -> ${String(row['quantity'])} ${String(row['amount_nano'])}`
    })
    .toSorted()
}

test('charges equal those of an independent oracle, whatever came in whichever order', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async (plan_) => {
      await using db = await openLedger()
      const accepted = await play(db, plan_)
      assert.deepEqual(await chargedLines(db), oracle(plan_.records, accepted))
      const { rows } = await db.query('select coalesce(sum(record_count), 0)::integer as records from usage_hour')
      assert.deepEqual(rows, [{ records: plan_.records.length }], 'every record is counted in one state')
      const { differences, pendingHours } = await verifyRating(db)
      assert.deepEqual({ differences, pendingHours }, { differences: [], pendingHours: 0 })
    }),
    { numRuns: 30 },
  )
})

test('the same records give byte-identical rows when they come shuffled, in other batches, and are rated in between', async () => {
  await fc.assert(
    fc.asyncProperty(plan, fc.infiniteStream(fc.nat()), async (plan_, numbers) => {
      await using db = await openLedger()
      await play(db, plan_)
      const before = await dumpDerived(db)
      // The same facts once more, in an empty table of records: directory and books stay.
      await db.query('alter table usage_record disable trigger user')
      await db.query('delete from usage_record')
      await db.query('alter table usage_record enable trigger user')
      await db.query('delete from charge')
      await db.query('delete from usage_hour')
      const next = (below: number): number => Number(numbers.next().value) % below
      const left = [...plan_.records]
      while (left.length > 0) {
        const batch = Array.from({ length: 1 + next(7) }, () => left.splice(next(left.length || 1), 1)).flat()
        await deliver(db, batch, `gateway-${next(3)}`)
        if (next(3) === 0) await rateDirtyHours(db, { limit: 1 + next(2) })
      }
      await rateAll(db)
      assert.equal(await dumpDerived(db), before)
    }),
    { numRuns: 10 },
  )
})

test('money is conserved: charges, statements and reports have one sum', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async (plan_) => {
      await using db = await openLedger()
      const safe = plan_.records.map((found) => ({
        ...found,
        meters: Object.fromEntries(Object.entries(found.meters).map(([name, count]) => [name, count % 5000])),
      }))
      await play(db, { ...plan_, records: safe })
      for (const { id: organizationId } of await listOrganizations(db)) {
        const { rows } = await db.query<{ sum: string }>(
          'select coalesce(sum(amount_nano), 0) as sum from charge where organization_id = $1',
          [organizationId],
        )
        const charged = BigInt(rows[0]?.sum ?? '-1')
        const statement = await readStatement(db, { organizationId, month: MONTH, scope: 'operator' })
        const nano = (text: string): bigint => {
          const [whole = '', fraction = ''] = text.split('.')
          return BigInt(whole + fraction.padEnd(9, '0'))
        }
        assert.equal(nano(statement?.total ?? ''), charged)
        assert.equal(
          statement?.lines.reduce((sum, { amount }) => sum + nano(amount), 0n),
          charged,
        )
        for (const by of [[], ['model', 'meter'], ['hour', 'key', 'resource', 'user', 'day']] as const) {
          const report = await usageReport(db, { organizationId, from: TEN - 5 * HOUR, to: TEN + 50 * HOUR, by: [...by] })
          assert.equal(
            report?.rows.reduce((sum, { amount }) => sum + amount, 0n),
            charged,
          )
        }
      }
    }),
    { numRuns: 10 },
  )
})
