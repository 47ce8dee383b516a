import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Budget } from './budget.ts'
import { LeaseBook } from './lease-book.ts'
import type { Account } from './snapshot.ts'

const NOW = Date.UTC(2026, 10, 22, 9)
const DAY = Date.UTC(2026, 10, 22)
const MONTH = Date.UTC(2026, 10, 1)
const WHO = { authId: 'key-1', organizationId: 'acme', userId: 'ann' }

const DAILY: Budget = { id: 'd', scope: 'credential', subject: 'key-1', unit: 'tokens', period: 'day' }
const MONTHLY: Budget = { id: 'm', scope: 'organization', subject: 'acme', unit: 'tokens', period: 'month' }
const EACH_USER: Budget = { id: 'u', scope: 'user', subject: '*', unit: 'tokens', period: 'day' }

function account(budget: Budget, fields: Partial<Account> & { granted?: number; consumed?: number }): Account {
  const { granted = 0, consumed = 0, ...rest } = fields
  return {
    budget: budget.id,
    subject: budget.subject,
    start: budget.period === 'day' ? DAY : MONTH,
    limit: '100',
    spent: String(consumed),
    leases: { w: { granted: String(granted), consumed: String(consumed) } },
    ...rest,
  }
}

function take(book: LeaseBook, amount: number, at = NOW, who = WHO): ReturnType<LeaseBook['reserve']> {
  return book.reserve(book.budgetsOf(who, at), () => BigInt(amount), at)
}

function held(outcome: ReturnType<LeaseBook['reserve']>): Extract<typeof outcome, { kind: 'held' }>['hold'] {
  assert.equal(outcome.kind, 'held')
  return outcome.kind === 'held' ? outcome.hold : assert.fail()
}

test('litellm-34732, new-api-6609, one-api-2440: reserve() checks and holds in one step, so that nothing is promised twice', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100 })] })
  const outcomes = Array.from({ length: 10 }, () => take(book, 30).kind)
  assert.deepEqual(outcomes, ['held', 'held', 'held', ...Array<string>(7).fill('reserved')])
})

test('reserve() takes from every budget of a request, or from none', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY, MONTHLY], accounts: [account(DAILY, { granted: 100 }), account(MONTHLY, { granted: 10 })] })
  assert.equal(take(book, 20).kind, 'reserved')
  // Nothing stuck to the daily one.
  held(take(book, 10))
  const [daily, monthly] = book.report(NOW)
  assert.deepEqual([daily?.used, monthly?.used], ['10', '10'])
})

test('litellm-27639: settle() and release() free what was held exactly once, on every way out', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100 })] })
  const first = held(take(book, 100))
  first.settle(() => 30n)
  first.settle(() => 30n)
  first.release()
  const second = held(take(book, 70))
  second.release()
  second.release()
  held(take(book, 70)).settle(() => 70n)
  assert.equal(book.report(NOW)[0]?.used, '100')
})

test('codegraff-269: reserve() tells "exhausted" from "temporarily reserved"', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100 })] })
  const open = held(take(book, 90))
  // It would fit if the one in flight cost nothing.
  assert.equal(take(book, 20).kind, 'reserved')
  open.settle(() => 90n)
  assert.equal(take(book, 20).kind, 'exhausted')
  held(take(book, 10))
})

test('reserve() knows what other gateways have spent from the snapshot, and does not count its own share of it twice', () => {
  const book = new LeaseBook('w')
  const spentByOthers = { granted: 50, consumed: 10, spent: '60' }
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, spentByOthers)] })
  assert.equal(take(book, 41).kind, 'exhausted')
  assert.equal(take(book, 40).kind, 'held')
})

test('reserve() admits nothing before the first lease, and says that it is temporary', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [] })
  const outcome = take(book, 1)
  assert.equal(outcome.kind, 'reserved')
  assert.equal(book.report(NOW)[0]?.wanted, '1')
})

test('apply() keeps what was granted: an older snapshot takes nothing away and gives nothing twice', () => {
  const book = new LeaseBook('w')
  const at = (granted: number): void => book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted })] })
  at(50)
  held(take(book, 50)).settle(() => 50n)
  at(20)
  assert.equal(take(book, 1).kind, 'reserved')
  at(60)
  held(take(book, 10))
  assert.equal(take(book, 1).kind, 'reserved')
})

test('apply() takes the word of the ledger where it is more than was settled here', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100 })] })
  held(take(book, 10)).settle(() => 10n)
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100, consumed: 40 })] })
  assert.equal(take(book, 61).kind, 'exhausted')
  held(take(book, 60))
})

test('apply() follows a recall once, gives back what is above `keep` and never spends it again', () => {
  const book = new LeaseBook('w')
  const snapshot = (recall?: Account['recall']): void =>
    book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100, ...(recall !== undefined && { recall }) })] })
  snapshot()
  const open = held(take(book, 30))
  snapshot({ sequence: 1, keep: '20' })
  snapshot({ sequence: 1, keep: '20' })
  assert.deepEqual(book.report(NOW)[0], {
    budget: 'd',
    subject: 'key-1',
    start: DAY,
    granted: '100',
    returned: '50',
    used: '30',
    wanted: '0',
    recalled: 1,
  })
  held(take(book, 20))
  assert.equal(take(book, 1).kind, 'reserved')
  // What a request leaves over is its own again: it was never given back.
  open.settle(() => 5n)
  held(take(book, 25))
})

test('budgetsOf() begins a new window at midnight UTC', () => {
  const book = new LeaseBook('w')
  const tomorrow = DAY + 86_400_000
  book.apply({
    budgets: [DAILY],
    accounts: [account(DAILY, { granted: 10 }), account(DAILY, { start: tomorrow, granted: 5 })],
  })
  const late = held(take(book, 10, tomorrow - 1))
  assert.equal(take(book, 1, tomorrow - 1).kind, 'reserved')
  held(take(book, 5, tomorrow))
  assert.equal(take(book, 1, tomorrow).kind, 'reserved')
  // A request belongs to the day on which it began.
  late.settle(() => 10n)
  assert.equal(take(book, 1, tomorrow).kind, 'reserved')
})

test('litellm-40095: parallel first requests of an unknown user meet the budget that each user has', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [EACH_USER], accounts: [account(EACH_USER, { granted: 25 })] })
  const ben = { authId: 'key-1', userId: 'ben' }
  const outcomes = Array.from({ length: 5 }, () => take(book, 10, NOW, { ...WHO, userId: 'ben' }).kind)
  assert.deepEqual(outcomes, ['held', 'held', 'reserved', 'reserved', 'reserved'])
  // Ann has one of her own.
  held(take(book, 25))
  const wish = book.report(NOW).find(({ subject }) => subject === 'ben')
  assert.deepEqual([wish?.used, wish?.wanted], ['20', '10'])
  book.apply({
    budgets: [EACH_USER],
    accounts: [account(EACH_USER, { granted: 25 }), account(EACH_USER, { subject: 'ben', granted: 100 })],
  })
  assert.equal(book.reserve(book.budgetsOf(ben, NOW), () => 80n, NOW).kind, 'held')
})

test('budgetsOf() puts a budget of its own in the place of the one that each has, and leaves the rest', () => {
  const book = new LeaseBook('w')
  const own: Budget = { ...EACH_USER, id: 'own', subject: 'ann' }
  const money: Budget = { ...EACH_USER, id: 'money', unit: 'USD' }
  const over: Budget = { ...own, id: 'over', until: NOW }
  book.apply({ budgets: [EACH_USER, own, money, over], accounts: [] })
  assert.deepEqual(
    book.budgetsOf(WHO, NOW).map(({ budget, subject }) => [budget.id, subject]),
    [
      ['own', 'ann'],
      ['money', 'ann'],
    ],
  )
  assert.deepEqual(
    book.budgetsOf({ ...WHO, userId: 'ben' }, NOW).map(({ budget }) => budget.id),
    ['u', 'money'],
  )
})

test('autumn-cache-eviction: a snapshot that forgets an account gives nothing back of what was used', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100 })] })
  held(take(book, 80)).settle(() => 80n)
  book.apply({ budgets: [], accounts: [] })
  book.apply({ budgets: [DAILY], accounts: [account(DAILY, { granted: 100 })] })
  assert.equal(take(book, 21).kind, 'exhausted')
  held(take(book, 20))
})

test('report() forgets a wish that nobody repeats', () => {
  const book = new LeaseBook('w')
  book.apply({ budgets: [DAILY], accounts: [] })
  take(book, 7)
  assert.equal(book.report(NOW + 2999)[0]?.wanted, '7')
  assert.equal(book.report(NOW + 3001)[0]?.wanted, '0')
})

test('giveBack() gives back for ever what is not reserved, tells of it, and leaves open requests what they hold', () => {
  const book = new LeaseBook('w')
  book.apply({
    budgets: [DAILY, EACH_USER],
    accounts: [account(DAILY, { granted: 100 }), account(EACH_USER, { granted: 20, subject: 'ann' })],
  })
  const hold = held(take(book, 10))
  book.giveBack()
  assert.deepEqual(
    book.report(NOW).map(({ budget, granted, returned, used }) => ({ budget, granted, returned, used })),
    [
      { budget: 'd', granted: '100', returned: '90', used: '10' },
      { budget: 'u', granted: '20', returned: '10', used: '10' },
    ],
  )
  assert.equal(take(book, 1).kind, 'reserved')
  hold.settle(() => 4n)
  assert.equal(book.report(NOW).find(({ budget }) => budget === 'd')?.used, '4')
})
