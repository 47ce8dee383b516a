import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Budget } from './budget.ts'
import { heldByAll, initialGrant, planGrants } from './grants.ts'
import type { LeaseRow } from './grants.ts'
import { LeaseBook } from './lease-book.ts'
import type { BudgetHold } from './lease-book.ts'
import type { Account, AccountReport } from './snapshot.ts'

const ROW: LeaseRow = {
  writer: 'a',
  granted: 0n,
  returned: 0n,
  consumed: 0n,
  used: 0n,
  wanted: 0n,
  recalled: 0,
  live: true,
  ended: false,
}
const rowOf = (fields: Partial<LeaseRow>): LeaseRow => ({ ...ROW, ...fields })
const plan = (limit: bigint, rows: readonly LeaseRow[], isRecalling = false): ReturnType<typeof planGrants> =>
  planGrants(limit, rows, { isRecalling })

test('planGrants() gives all to the only gateway, and equal shares to several', () => {
  assert.deepEqual([...plan(100n, [ROW]).granted], [['a', 100n]])
  assert.deepEqual(
    [...plan(100n, [rowOf({ writer: 'a' }), rowOf({ writer: 'b' }), rowOf({ writer: 'c' })]).granted],
    [
      ['a', 33n],
      ['b', 33n],
      ['c', 33n],
    ],
  )
})

test('planGrants() counts what a dead writer holds as spent until its journal was read to the end', () => {
  const dead = rowOf({ writer: 'dead', granted: 60n, consumed: 10n, live: false })
  assert.deepEqual([...plan(100n, [dead, ROW]).granted], [['a', 40n]])
  assert.deepEqual([...plan(100n, [{ ...dead, ended: true }, ROW]).granted], [['a', 90n]])
})

test('planGrants() meets a wish first, and recalls what lies idle elsewhere', () => {
  const idle = rowOf({ writer: 'idle', granted: 90n })
  const busy = rowOf({ writer: 'busy', granted: 10n, used: 10n, wanted: 30n })
  const { granted, recall } = plan(100n, [idle, busy])
  assert.deepEqual([...granted], [])
  assert.deepEqual(recall, { keep: 22n }, 'half a share stays where it is')
  const after = plan(100n, [{ ...idle, returned: 68n, recalled: 1 }, busy])
  assert.deepEqual(
    [...after.granted],
    [
      ['busy', 55n],
      ['idle', 109n],
    ],
  )
})

test('planGrants() recalls everything for a wish that cannot be met otherwise', () => {
  const rows = [rowOf({ writer: 'a', granted: 50n }), rowOf({ writer: 'b', granted: 50n, wanted: 90n })]
  assert.deepEqual(plan(100n, rows).recall, { keep: 0n })
  assert.equal(plan(100n, rows, true).recall, undefined, 'not while it is being followed')
})

test('planGrants() recalls all when the limit was lowered below what was given', () => {
  assert.deepEqual(plan(30n, [rowOf({ granted: 100n, used: 10n })]).recall, { keep: 0n })
})

test('routstr-core-682: an overrun is paid from what is free, never from what another writer holds', () => {
  const over = rowOf({ writer: 'over', granted: 50n, used: 80n, consumed: 80n })
  const other = rowOf({ writer: 'other', granted: 40n })
  const { granted } = plan(100n, [over, other])
  assert.deepEqual([...granted], [])
  assert.equal(heldByAll([over, other]), 120n)
})

test('initialGrant() gives ever less, and never more than half in all', () => {
  let given = 0n
  for (let gateway = 0; gateway < 100; gateway += 1) given += initialGrant(1000n, given)
  assert.equal(initialGrant(1000n, 0n), 250n)
  assert(given <= 500n, String(given))
})

// A whole fleet: gateways reserve and settle, reports and snapshots arrive late or not at all, gateways are killed and replaced, the
// ledger counts and grants. Whatever happens in which order, what was spent never passes the limit.

const BUDGET: Budget = { id: 'b', scope: 'credential', subject: 'k', unit: 'tokens', period: 'prepaid' }
const LIMIT = 1000n

type Gateway = {
  readonly book: LeaseBook
  readonly open: { hold: BudgetHold; amount: bigint }[]
  spent: bigint
  shipped: bigint
  dead: boolean
}

class Fleet {
  readonly gateways: Gateway[] = []
  readonly rows = new Map<string, LeaseRow>()
  readonly snapshots: Account[][] = []
  readonly reports = new Map<string, AccountReport[]>()
  recall = { sequence: 0, keep: 0n }
  now = 1

  start(): void {
    const book = new LeaseBook(String(this.gateways.length))
    book.apply({ budgets: [BUDGET], accounts: [] })
    this.gateways.push({ book, open: [], spent: 0n, shipped: 0n, dead: false })
  }

  at(index: number): { readonly name: string; readonly gateway: Gateway } {
    const name = String(index % this.gateways.length)
    return { name, gateway: this.gateways[Number(name)] ?? assert.fail() }
  }

  reserve(index: number, amount: bigint): void {
    const { gateway } = this.at(index)
    if (gateway.dead) return
    const outcome = gateway.book.reserve(gateway.book.budgetsOf({ authId: 'k' }, this.now), () => amount, this.now)
    if (outcome.kind === 'held') gateway.open.push({ hold: outcome.hold, amount })
  }

  settle(index: number, part: bigint): void {
    const { gateway } = this.at(index)
    const request = gateway.open.shift()
    if (request === undefined || gateway.dead) return
    const cost = (request.amount * part) / 100n
    gateway.spent += cost
    request.hold.settle(() => cost)
  }

  /** The ledger: what was shipped is counted, whoever is dead and shipped to the end is ended, and grants are planned. */
  count(lateReports: boolean): void {
    for (const [index, gateway] of this.gateways.entries()) {
      const name = String(index)
      const before = this.rows.get(name) ?? rowOf({ writer: name })
      if (!lateReports && !gateway.dead) this.reports.set(name, [...gateway.book.report(this.now)])
      const report = this.reports.get(name)?.[0]
      this.rows.set(name, {
        ...before,
        consumed: gateway.shipped,
        returned: big(before.returned, report?.returned),
        used: BigInt(report?.used ?? 0),
        wanted: BigInt(report?.wanted ?? 0),
        recalled: report?.recalled ?? 0,
        live: !gateway.dead,
        ended: gateway.dead && gateway.shipped === gateway.spent,
      })
    }
    const rows = [...this.rows.values()]
    const isRecalling = rows.some((row) => row.live && row.recalled < this.recall.sequence)
    const { granted, recall } = planGrants(LIMIT, rows, { isRecalling })
    if (recall !== undefined) this.recall = { sequence: this.recall.sequence + 1, keep: recall.keep }
    for (const [name, amount] of granted) this.rows.set(name, { ...(this.rows.get(name) ?? assert.fail()), granted: amount })
    assert(heldByAll([...this.rows.values()]) <= LIMIT)
    this.snapshots.push([
      {
        budget: 'b',
        subject: 'k',
        start: 0,
        limit: String(LIMIT),
        spent: String(rows.reduce((sum, row) => sum + row.consumed, 0n)),
        recall: { sequence: this.recall.sequence, keep: String(this.recall.keep) },
        leases: Object.fromEntries(
          [...this.rows].map(([name, row]) => [name, { granted: String(row.granted), consumed: String(row.consumed) }]),
        ),
      },
    ])
  }

  get spent(): bigint {
    return this.gateways.reduce((sum, gateway) => sum + gateway.spent, 0n)
  }
}

function big(a: bigint, text: string | undefined): bigint {
  const b = BigInt(text ?? 0)
  return a > b ? a : b
}

const anyAct = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('reserve'), who: fc.nat(20), value: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle'), who: fc.nat(20), value: fc.integer({ min: 0, max: 100 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ship'), who: fc.nat(20), value: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('count'), who: fc.nat(20), value: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver'), who: fc.nat(20), value: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill'), who: fc.nat(20), value: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('start'), who: fc.nat(20), value: fc.nat(1) }) },
)

function act(fleet: Fleet, { kind, who, value }: { kind: string; who: number; value: number }): void {
  const { gateway } = fleet.at(who)
  if (kind === 'reserve') fleet.reserve(who, BigInt(value))
  else if (kind === 'settle') fleet.settle(who, BigInt(value))
  else if (kind === 'ship') gateway.shipped = gateway.spent
  else if (kind === 'count') fleet.count(value === 1)
  else if (kind === 'kill') gateway.dead = true
  else if (kind === 'start' && fleet.gateways.length < 8) fleet.start()
  else if (kind === 'deliver' && !gateway.dead) {
    // Late, or out of order.
    const accounts = fleet.snapshots.at(-1 - value)
    if (accounts !== undefined) gateway.book.apply({ budgets: [BUDGET], accounts })
  }
}

test('litellm-34238: whatever a fleet does, and however late its news are, it never spends past the limit', () => {
  fc.assert(
    fc.property(fc.array(anyAct, { minLength: 20, maxLength: 300 }), (acts) => {
      const fleet = new Fleet()
      fleet.start()
      fleet.start()
      for (const each of acts) {
        act(fleet, each)
        assert(fleet.spent <= LIMIT, `${fleet.spent} spent`)
      }
    }),
    { numRuns: 300 },
  )
})

test('litellm-27639: whatever a fleet did, one gateway can spend all that is left once the others rest', () => {
  fc.assert(
    fc.property(fc.array(anyAct, { minLength: 0, maxLength: 100 }), (acts) => {
      const fleet = new Fleet()
      fleet.start()
      fleet.start()
      for (const each of acts) act(fleet, each)
      for (const gateway of fleet.gateways) {
        while (!gateway.dead && gateway.open.length > 0) fleet.settle(fleet.gateways.indexOf(gateway), 50n)
        gateway.shipped = gateway.spent
      }
      // Nobody asks any more for what was refused before.
      fleet.now += 10_000
      fleet.start()
      const last = fleet.gateways.length - 1
      const left = LIMIT - fleet.spent
      for (let round = 0; round < 10 && fleet.at(last).gateway.open.length === 0; round += 1) {
        fleet.count(false)
        for (const gateway of fleet.gateways) {
          const accounts = fleet.snapshots.at(-1)
          if (accounts !== undefined && !gateway.dead) gateway.book.apply({ budgets: [BUDGET], accounts })
        }
        fleet.reserve(last, left)
      }
      assert.equal(fleet.at(last).gateway.open.length, 1, `cannot have the last ${left}`)
    }),
    { numRuns: 200 },
  )
})
