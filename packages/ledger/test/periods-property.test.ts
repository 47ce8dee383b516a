import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import type { UsageRecord } from '@ascribe/usage'
import { applyPriceBook, closeMonth, createOrganization, mapAuthId, markRatedHours, readStatement } from '../src/index.ts'
import { dumpFrozen } from './periods-support.ts'
import { deliver, openLedger, priceBook, rateAll, usageRecord, assertSound } from './support.ts'

/*
 * Whenever months are closed, and whatever comes afterwards: nothing that is closed changes, and all statements together are what they
 * would be if no month had ever been closed. Lines of the month and minimums included.
 */

const MONTHS = ['2026-01', '2026-02', '2026-03', '2026-04', '2026-05'] as const
const AUTH_IDS = ['a', 'b']

type Step =
  | { readonly kind: 'deliver'; readonly records: readonly UsageRecord[] }
  | { readonly kind: 'map'; readonly authId: string; readonly organization: number; readonly month: number }
  | { readonly kind: 'price' }
  | { readonly kind: 'close' }
  | { readonly kind: 'rate' }

const record = fc
  .record({
    month: fc.integer({ min: 0, max: 3 }),
    hour: fc.integer({ min: 0, max: 2 }),
    authId: fc.constantFrom(...AUTH_IDS),
    model: fc.constantFrom('small', 'later'),
    images: fc.integer({ min: 0, max: 70 }),
    tokens: fc.integer({ min: 0, max: 3000 }),
  })
  .map(({ month, hour, authId, model, images, tokens }) =>
    usageRecord({
      startedAt: Date.UTC(2026, month, 5, hour),
      authId,
      model,
      meters: { ...(images > 0 && { images }), ...(tokens > 0 && { input_tokens: tokens, output_tokens: tokens % 17 }) },
    }),
  )

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('deliver' as const), records: fc.array(record, { minLength: 1, maxLength: 8 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('map' as const),
        authId: fc.constantFrom(...AUTH_IDS),
        organization: fc.integer({ min: 0, max: 1 }),
        month: fc.integer({ min: 0, max: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'price' as const }) },
    { weight: 3, arbitrary: fc.constant({ kind: 'close' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'rate' as const }) },
  ),
  { minLength: 3, maxLength: 14 },
)

const BOOK = `version: 1
base_models:
  small:
    prompt: "0.0000013"
    cached: "0"
    completion: { mode: volume, tiers: [{ up_to: 40, price: "0.7" }, { price: "0.00000000031" }] }
    meters: { images: { mode: graduated, included: 10, tiers: [{ up_to: 50, price: "0.0300000001" }, { price: "0.01" }] } }
minimums: [{ amount: "1.5" }]
`
const LATER = `version: 1
base_models:
  later: { prompt: "0.000001", cached: "0", completion: "0", meters: { images: { package: 30, price: "0.9" } } }
`

async function play(db: Database, plan: readonly Step[], { closes }: { readonly closes: boolean }): Promise<readonly bigint[]> {
  const organizations = [await createOrganization(db, { name: 'A' }), await createOrganization(db, { name: 'B' })].map(({ id }) => id)
  await applyPriceBook(db, priceBook({ text: BOOK }))
  let [closed, frozen] = [0, '']
  for (const step of plan) {
    switch (step.kind) {
      case 'deliver':
        await deliver(db, step.records)
        break
      case 'map':
        await mapAuthId(db, {
          authId: step.authId,
          organizationId: organizations[step.organization] ?? '',
          from: Date.UTC(2026, step.month, 5, 1),
          correct: true,
        })
        break
      case 'price':
        await applyPriceBook(db, priceBook({ text: LATER, supplement: { until: Date.UTC(2026, 8) } }))
        break
      case 'rate':
        await markRatedHours(db)
        await rateAll(db)
        break
      case 'close': {
        const month = MONTHS[closed]
        if (!closes || month === undefined || closed === 4) break
        await rateAll(db)
        assert.equal((await closeMonth(db, { month, closedBy: 'test', force: true })).kind, 'closed')
        closed += 1
        frozen = await dumpFrozen(db)
        break
      }
    }
  }
  await rateAll(db)
  assert.equal(await dumpFrozen(db), frozen)
  await assertSound(db)
  return Promise.all(organizations.map((organizationId) => totalOf(db, organizationId)))
}

async function totalOf(db: Database, organizationId: string): Promise<bigint> {
  let sum = 0n
  for (const month of MONTHS) {
    const statement = await readStatement(db, { organizationId, month, scope: 'operator' })
    const nanos = [statement?.total ?? 'x', ...(statement?.lines ?? []).map(({ amount }) => amount)].map((text) => {
      const negative = text.startsWith('-')
      const [whole = '', fraction = ''] = text.replace('-', '').split('.')
      const nano = BigInt(whole + fraction.padEnd(9, '0'))
      return negative ? -nano : nano
    })
    const [total = 0n, ...lines] = nanos
    assert.equal(
      lines.reduce((all, line) => all + line, 0n),
      total,
    )
    sum += total
  }
  return sum
}

test('months may close whenever they like: all statements together are those of a ledger in which none was closed', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      await using closing = await openLedger()
      await using open = await openLedger()
      assert.deepEqual(await play(closing, plan, { closes: true }), await play(open, plan, { closes: false }))
    }),
    // A run takes half a second: shrinking would take minutes, and the seed is enough.
    { numRuns: 6, endOnFailure: true },
  )
})
