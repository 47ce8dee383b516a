import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { breakdownOf } from './breakdown.ts'
import { OTHER_KEY, stackOf } from './stack.ts'
import { rowsOf, sortRows, totalRow } from './table-rows.ts'

const RANGE = { from: '2026-11-01', to: '2026-11-03' }
const cells = fc.array(
  fc.record({
    day: fc.constantFrom('2026-11-01', '2026-11-02', '2026-11-03'),
    key: fc.constantFrom('', ...'abcdefghijklmnop'.split('')),
    value: fc.bigInt({ min: -(10n ** 6n), max: 10n ** 12n }),
  }),
)

test('rowsOf() adds up to the total in every order, and each key stands once', () => {
  fc.assert(
    fc.property(
      cells,
      fc.constantFrom('name' as const, 'quantity' as const, 'change' as const, 'amount' as const),
      fc.constantFrom('ascending' as const, 'descending' as const),
      (given, column, direction) => {
        const breakdown = breakdownOf(RANGE, given)
        const facts = {
          before: new Map([
            ['a', 5n],
            ['gone', 7n],
          ]),
          tokens: new Map([['b', 3n]]),
        }
        const rows = sortRows(rowsOf(stackOf(breakdown, { hidden: new Set() }), facts), { column, direction }, (key) => key)
        assert.equal(
          rows.reduce((sum, { total }) => sum + total, 0n),
          breakdown.total,
        )
        const keys = rows.flatMap((row) => (row.children === undefined ? [row.key] : row.children.map(({ key }) => key)))
        assert.equal(new Set(keys).size, breakdown.series.length)
        const other = rows.findIndex(({ key }) => key === OTHER_KEY)
        assert.ok(other === -1 || other === rows.length - 1)
        assert.deepEqual(totalRow(breakdown, facts), { total: breakdown.total, before: 12n, tokens: 3n })
      },
    ),
  )
})
