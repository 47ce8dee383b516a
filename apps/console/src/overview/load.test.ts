import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CostReport, CostsQuery, UsageReport } from '@ascribe/contract/reads'
import fc from 'fast-check'
import { addDays } from '../format/dates.ts'
import { formatNano, nanoOf } from '../format/money.ts'
import { agreesWith, createExportSum } from './export-sum.ts'
import { loadCosts, loadTokens, loadUsage } from './load.ts'
import type { ReportSource } from './load.ts'
import { stackOf } from './stack.ts'

const AS_OF = { ratedBefore: '2026-11-22T14:00:00Z', heldRecords: 0 }
const RANGE = { from: '2026-11-01', to: '2026-11-22' }
const BOUNDS = { start: '2026-11-01T00:00:00Z', end: '2026-11-23T00:00:00Z' }
const QUESTION = { ...RANGE, by: 'model', filters: {}, children: false } as const

type Row = { readonly day: string; readonly model: string; readonly amount: bigint; readonly currency: string }

/** The API over rows in memory: groups, filters and pages as it does, with pages as small as asked. */
function sourceOf(rows: readonly Row[], pageRows: number): ReportSource & { readonly asked: Partial<CostsQuery>[] } {
  const asked: Partial<CostsQuery>[] = []
  const costs = (query: Partial<CostsQuery>): Promise<CostReport> => {
    asked.push(query)
    const wanted = rows.filter(({ model }) => query.model === undefined || query.model.includes(model))
    const groups = new Map<string, { start: string; currency: string; model: string; amount: bigint }>()
    for (const { day, model, amount, currency } of wanted) {
      const start = query.grain === 'day' ? `${day}T00:00:00Z` : BOUNDS.start
      const name = query.groupBy?.[0] === 'model' ? model : ''
      const id = JSON.stringify([start, currency, name])
      const found = groups.getOrInsertComputed(id, () => ({ start, currency, model: name, amount: 0n }))
      found.amount += amount
    }
    const all = [...groups.values()].toSorted((a, b) => (JSON.stringify(a.start + a.model) < JSON.stringify(b.start + b.model) ? -1 : 1))
    const at = Number(query.cursor ?? '0')
    const currencies = [...new Set(wanted.map(({ currency }) => currency))].toSorted()
    return Promise.resolve({
      ...BOUNDS,
      asOf: AS_OF,
      totals: currencies.map((currency) => ({
        currency,
        amount: formatNano(wanted.filter((row) => row.currency === currency).reduce((sum, { amount }) => sum + amount, 0n)),
      })),
      data: all.slice(at, at + pageRows).map((row) => ({
        start: row.start,
        end: row.start,
        keys: query.groupBy?.[0] === 'model' ? { model: row.model === '' ? null : row.model } : {},
        currency: row.currency,
        amount: formatNano(row.amount),
      })),
      ...(at + pageRows < all.length && { nextCursor: String(at + pageRows) }),
    })
  }
  return { costs, usage: () => Promise.reject(new Error('not asked')), asked }
}

const rows = fc.array(
  fc.record({
    day: fc.integer({ min: 0, max: 21 }).map((index) => addDays(RANGE.from, index)),
    model: fc.constantFrom('', ...'abcdefghijkl'.split('')),
    amount: fc.bigInt({ min: -(10n ** 9n), max: 10n ** 15n }),
    currency: fc.constantFrom('USD', 'EUR'),
  }),
  { minLength: 1, maxLength: 120 },
)

test('loadCosts() adds up to the report in each currency, in one page or in many', async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.constantFrom(7, 40, 5000), async (given, pageRows) => {
      const source = sourceOf(given, pageRows)
      const { totals, byCurrency } = await loadCosts(source, QUESTION)
      for (const { currency, amount } of totals) {
        const breakdown = byCurrency.get(currency)
        assert.ok(breakdown !== undefined)
        assert.equal(breakdown.total, nanoOf(amount))
        const stacked = stackOf(breakdown, { hidden: new Set() }).columns.flatMap(({ segments }) => segments)
        assert.equal(
          stacked.reduce((sum, { value }) => sum + value, 0n),
          nanoOf(amount),
        )
      }
      if (pageRows === 5000) assert.equal(source.asked.length, 1)
    }),
    { numRuns: 60 },
  )
})

test('loadUsage() adds tokens of all classes, and never hours of two meters', async () => {
  const usage = (): Promise<UsageReport> =>
    Promise.resolve({
      ...BOUNDS,
      asOf: AS_OF,
      data: [
        {
          ...BOUNDS,
          keys: { model: 'llama' },
          records: 3,
          heldRecords: 1,
          meters: { input_tokens: '1000', output_tokens: '9007199254740993', vm_disk_gib_hours: '9', vm_hours: '7' },
        },
      ],
    })
  const source: ReportSource = { costs: () => Promise.reject(new Error('not asked')), usage }
  const tokens = await loadUsage(source, { ...QUESTION, metric: 'tokens' })
  assert.equal(tokens.breakdown.total, 9007199254741993n)
  const hours = await loadUsage(source, { ...QUESTION, metric: 'hours' })
  assert.deepEqual([hours.breakdown.total, hours.meter, hours.meters], [7_000_000n, 'vm_hours', ['vm_disk_gib_hours', 'vm_hours']])
  // ADR 0088: machines count in millionths of the unit that the meter's name says.
  const machines = (): Promise<UsageReport> =>
    Promise.resolve({
      ...BOUNDS,
      asOf: AS_OF,
      data: ['vm', 'somebody else’s'].map((model) => ({
        ...BOUNDS,
        keys: { model },
        records: 1,
        heldRecords: 0,
        meters: { vm_ip_hours: model === 'vm' ? '1500000' : '2' },
      })),
    })
  const scaled = await loadUsage({ ...source, usage: machines }, { ...QUESTION, metric: 'hours' })
  assert.equal(scaled.breakdown.total, 3_500_000n)
  const byMeter = await loadUsage(source, { ...QUESTION, by: 'meter', metric: 'tokens' })
  assert.deepEqual(
    byMeter.breakdown.series.map(({ key }) => key),
    ['output_tokens', 'input_tokens'],
  )
  assert.deepEqual(await loadTokens(source, QUESTION), { byKey: new Map([['llama', 9007199254741993n]]), records: 3n })
  assert.equal((await loadTokens(source, { ...QUESTION, by: 'price' })).byKey, undefined)
})

test('createExportSum() adds up a file however it is cut, with names that hold commas, quotes and lines', () => {
  const name = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', 'é') })
  fc.assert(
    fc.property(
      fc.array(fc.record({ name, amount: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), currency: fc.constantFrom('USD', 'EUR') })),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
      (lines, cuts) => {
        const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
        const text = `kind,amount,currency,name\r\n${lines.map((row) => `usage,${formatNano(row.amount)},${row.currency},${quoted(row.name)}\r\n`).join('')}`
        const sum = createExportSum('csv')
        for (let at = 0, index = 0; at < text.length; index += 1) {
          const size = cuts[index % cuts.length] ?? 1
          sum.add(text.slice(at, at + size))
          at += size
        }
        const { rows: count, totals } = sum.end()
        assert.equal(count, lines.length)
        for (const currency of ['USD', 'EUR']) {
          const whole = lines.filter((row) => row.currency === currency).reduce((total, { amount }) => total + amount, 0n)
          assert.equal(totals.get(currency) ?? 0n, whole)
        }
      },
    ),
  )
  assert.throws(() => createExportSum('focus').add('a,b\n1,2\n'), RangeError)
})

test('agreesWith() is true of equal sums alone, in every currency of the file and of the report', () => {
  const file = { totals: new Map([['USD', 1_500_000_000n]]) }
  assert.ok(agreesWith(file, [{ currency: 'USD', amount: '1.5' }]))
  assert.ok(!agreesWith(file, [{ currency: 'USD', amount: '1.500000001' }]))
  assert.ok(!agreesWith(file, []), 'a currency that the report does not have')
  assert.ok(!agreesWith({ totals: new Map() }, [{ currency: 'USD', amount: '1.5' }]))
})
