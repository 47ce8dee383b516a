import assert from 'node:assert/strict'
import { test } from 'node:test'
import { windowOf } from '@ascribe/admission'
import type { Account, AdmissionSnapshot, LeaseReport } from '@ascribe/admission'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { createIdSource } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import {
  applyPriceBook,
  createBudgetRounds,
  createCredential,
  endBudget,
  listBudgets,
  mapAuthId,
  rateDirtyHours,
  readStatement,
  revokeCredential,
  setBudget,
  setRateLimit,
  topUpBudget,
} from '../src/index.ts'
import type { BudgetRounds, NewBudget } from '../src/index.ts'
import { DEAR_BOOK, createCustomer, deliver, openLedger, priceBook, usageRecord } from './support.ts'

const NOW = Date.UTC(2026, 2, 1, 10, 30)
const DAY = Date.UTC(2026, 2, 1)
const MONTH_START = Date.UTC(2026, 2, 1)
/** 10^-18 of a dollar. */
const USD = 10n ** 18n
/** A record of support.ts: 100 in at 0.000001, 10 out at 0.000002. */
const COST = 120n * 10n ** 12n

const nextId = createIdSource(() => NOW)
const used = (fields: Partial<UsageRecord> = {}): UsageRecord => usageRecord({ eventId: nextId(), startedAt: NOW, ...fields })

type Fixture = AsyncDisposable & {
  readonly db: TestDatabase
  readonly organizationId: string
  readonly rounds: BudgetRounds
  set(fields: Partial<NewBudget>): Promise<string>
  round(reports?: readonly LeaseReport[], gone?: readonly string[], now?: number): Promise<AdmissionSnapshot>
}

async function fixture(): Promise<Fixture> {
  const db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ effectiveFrom: 'beginning' }))
  const rounds = createBudgetRounds(db)
  return {
    db,
    organizationId,
    rounds,
    async set(fields) {
      const outcome = await setBudget(
        db,
        { scope: 'organization', subject: organizationId, unit: 'USD', period: 'day', limit: USD, by: 'test', ...fields },
        NOW,
      )
      return 'budgetId' in outcome ? outcome.budgetId : assert.fail(outcome.kind)
    },
    async round(reports = [], gone = [], now = NOW) {
      const { snapshot } = await rounds.next({ reports, gone, now })
      return snapshot ?? assert.fail('there is no snapshot')
    },
    async [Symbol.asyncDispose]() {
      await db.query(EMPTY)
      await db[Symbol.asyncDispose]()
    },
  }
}

// What support.ts does not empty.
const EMPTY = `
begin;
alter table budget_limit disable trigger user;
delete from budget_alert; delete from budget_lease; delete from budget_account; delete from budget_limit; delete from budget;
delete from gateway_writer; delete from rate_limit;
update budget_state set rules = 0, counted_below = 0, marker = '', version = 0, digest = '';
alter table budget_limit enable trigger user;
commit`

const alive = (writer: string, accounts: LeaseReport['accounts'] = []): LeaseReport => ({ writer, accounts })

function accountOf(snapshot: AdmissionSnapshot, start: number = DAY, subject?: string): Account {
  const found = snapshot.accounts.find((account) => account.start === start && (subject === undefined || account.subject === subject))
  return found ?? assert.fail('there is no account')
}

const spentOf = (snapshot: AdmissionSnapshot, start?: number): bigint => BigInt(accountOf(snapshot, start).spent)
const grantedTo = (snapshot: AdmissionSnapshot, writer: string, start?: number): bigint =>
  BigInt(accountOf(snapshot, start).leases[writer]?.granted ?? 0)

test('litellm-28283: enforced spend equals ledger spend, counted once however often a round runs', async () => {
  await using f = await fixture()
  await f.set({ period: 'month' })
  await f.round([alive('w1')])
  await deliver(
    f.db,
    [used(), used({ model: 'large' }), used({ meters: { input_tokens: 7, cached_input_tokens: 1000, output_tokens: 3 } })],
    'w1',
  )
  const first = await f.round([alive('w1')])
  await f.round([alive('w1')])
  await deliver(f.db, [used({ outcome: 'upstream_error', status: 500, meters: {} })], 'w2')
  const last = await f.round([alive('w1')])
  assert.equal(spentOf(first, MONTH_START), spentOf(last, MONTH_START))
  await rateDirtyHours(f.db)
  const statement = await readStatement(f.db, { organizationId: f.organizationId, month: '2026-03', scope: 'customer' })
  const [standing] = (await listBudgets(f.db, NOW))[0]?.standings ?? []
  assert.equal(standing?.spent, spentOf(last, MONTH_START))
  // 0.00012 + 0.0012 + 0.000113, in 10^-18.
  assert.equal(standing?.spent, 1433n * 10n ** 12n)
  assert.equal(statement?.total, '0.001433')
})

test('litellm-28247: a new settler that begins cold counts nothing twice', async () => {
  await using f = await fixture()
  await f.set({})
  await deliver(f.db, [used(), used()], 'w1')
  await f.round()
  await Promise.all([1, 2, 3].map(() => createBudgetRounds(f.db).next({ reports: [], gone: [], now: NOW })))
  await deliver(f.db, [used()], 'w1')
  await Promise.all([1, 2, 3].map(() => createBudgetRounds(f.db).next({ reports: [], gone: [], now: NOW })))
  assert.equal(spentOf(await f.round()), 3n * COST)
})

test('litellm-30460: a round that fails halfway, however often, inflates no counter', async () => {
  await using f = await fixture()
  await f.set({})
  await f.round([alive('w1')])
  await deliver(f.db, [used(), used()], 'w1')
  await f.db.query('alter table budget_lease add constraint never check (consumed < 0) not valid')
  for (let attempt = 0; attempt < 3; attempt += 1) await assert.rejects(f.round([alive('w1')]))
  await f.db.query('alter table budget_lease drop constraint never')
  assert.equal(spentOf(await f.round([alive('w1')])), 2n * COST)
})

test('next() counts what was used in the window before the budget was made, and grants nothing before that', async () => {
  await using f = await fixture()
  await deliver(f.db, [used(), used({ startedAt: DAY - 1, eventId: createIdSource(() => DAY - 1)() })], 'w1')
  await f.set({ limit: COST * 3n })
  const snapshot = await f.round([alive('w2')])
  assert.equal(spentOf(snapshot), COST)
  assert.equal(grantedTo(snapshot, 'w2'), COST * 2n)
})

test('litellm-30039: a counter equals the ledger again after new prices for what was held, and after a late mapping', async () => {
  await using f = await fixture()
  await f.set({ limit: USD })
  await deliver(f.db, [used({ model: 'nobody-priced' }), used({ authId: 'late' })], 'w1')
  // Held, and not free: at the dearest rates, those of `large`.
  assert.equal(spentOf(await f.round()), COST * 10n)
  await mapAuthId(f.db, { authId: 'late', organizationId: f.organizationId })
  assert.equal(spentOf(await f.round()), COST * 11n)
  const text = `version: 1\nbase_models:\n  nobody-priced: { prompt: "0.000001", cached: "0", completion: "0.000002" }\n`
  await applyPriceBook(f.db, priceBook({ text, effectiveFrom: 'beginning', supplement: {} }))
  assert.equal(spentOf(await f.round()), COST * 2n)
})

test('next() counts each record by the prices of its own instant', async () => {
  await using f = await fixture()
  await applyPriceBook(f.db, priceBook({ text: DEAR_BOOK, effectiveFrom: NOW + 1000 }))
  await f.set({})
  await deliver(f.db, [used(), used({ startedAt: NOW + 1000 })], 'w1')
  const snapshot = await f.round()
  assert.equal(spentOf(snapshot), COST * 11n)
  assert.deepEqual(
    snapshot.prices.map(({ from }) => from),
    [undefined, NOW + 1000],
    'gateways know the planned prices too',
  )
})

test('next() counts tokens of every class for a budget in tokens, and nothing else', async () => {
  await using f = await fixture()
  await f.set({ unit: 'tokens', limit: 5000n })
  await deliver(f.db, [
    used({ meters: { input_tokens: 1, cached_input_tokens: 10, output_tokens: 100, reasoning_tokens: 1000, image_count: 7 } }),
  ])
  await deliver(f.db, [used({ meters: { input_audio_tokens: 2 } }), used({ meters: { input_audio_tokens: 2 } })])
  assert.equal(spentOf(await f.round()), 1115n)
})

test('next() counts for the organization, the user, the group and the credential at once, each by its own rules', async () => {
  await using f = await fixture()
  await mapAuthId(f.db, { authId: 'auth-2', organizationId: f.organizationId, userId: 'ann' })
  for (const [scope, subject] of [
    ['organization', f.organizationId],
    ['user', 'ann'],
    ['group', 'ops'],
    ['credential', 'auth-2'],
  ] as const) {
    await f.set({ scope, subject, unit: 'tokens', limit: 10_000n, allowUnknown: true })
  }
  await deliver(f.db, [used(), used({ authId: 'auth-2' }), used({ authId: 'auth-2', groupId: 'ops' }), used({ userId: 'ann' })])
  await f.round()
  const spent = Object.fromEntries((await listBudgets(f.db, NOW)).map((each) => [each.scope, each.standings[0]?.spent]))
  assert.deepEqual(spent, { organization: 440n, user: 330n, group: 110n, credential: 220n })
})

test('an organization never uses up the budget of a user who is not its member by reporting usage in that name', async () => {
  await using f = await fixture()
  await f.set({ scope: 'user', subject: 'ann', unit: 'tokens', limit: 10_000n, allowUnknown: true })
  await f.set({ scope: 'user', subject: '*', unit: 'tokens', limit: 1000n })
  const reported = used({ userId: 'ann', identifiedBy: 'event' })
  await deliver(f.db, [reported, used({ userId: 'made-up', identifiedBy: 'event' })])
  const before = await f.round()
  assert.deepEqual(new Set(before.accounts.map(({ subject, spent }) => `${subject} ${spent}`)), new Set(['* 0', 'ann 0']))
  await f.db.query("insert into organization_member (user_id, organization_id, valid_from) values ('ann', $1::uuid, '2026-01-01Z')", [
    f.organizationId,
  ])
  await deliver(f.db, [{ ...reported, eventId: nextId() }])
  assert.equal(accountOf(await f.round(), DAY, 'ann').spent, '110')
})

test('litellm-40095: each user has a budget of its own, unknown ones from their first request on', async () => {
  await using f = await fixture()
  const budget = await f.set({ scope: 'user', subject: '*', unit: 'tokens', limit: 1000n })
  const first = await f.round([alive('w1'), alive('w2')])
  assert.deepEqual([grantedTo(first, 'w1'), grantedTo(first, 'w2')], [250n, 125n])
  await deliver(f.db, [used({ userId: 'ben' })], 'w1')
  const wish = { budget, subject: 'eve', start: DAY, granted: '125', returned: '0', used: '0', wanted: '600', recalled: 0 }
  const later = await f.round([alive('w1'), alive('w2', [wish])])
  const [ben, eve] = [accountOf(later, DAY, 'ben'), accountOf(later, DAY, 'eve')]
  assert.equal(ben.spent, '110')
  assert(BigInt(eve.leases['w2']?.granted ?? 0) >= 600n)
  for (const { leases } of [ben, eve]) {
    const all = Object.values(leases).reduce((sum, { granted }) => sum + BigInt(granted), 0n)
    assert(all <= 1000n, `${all}`)
  }
})

test('next() gives leases for the next window before it begins, and starts it from nothing', async () => {
  await using f = await fixture()
  await f.set({ limit: COST * 4n })
  await deliver(f.db, [used()], 'w1')
  const midnight = windowOf('day', NOW).end
  await f.round([alive('w1')])
  const before = await f.round([alive('w1')], [], midnight - 1000)
  assert.equal(grantedTo(before, 'w1', midnight), COST * 4n)
  assert.equal(spentOf(before, midnight), 0n)
  const after = await f.round([alive('w1')], [], midnight + 120_000)
  assert.deepEqual(
    after.accounts.map(({ start }) => start),
    [midnight],
  )
  // What comes late belongs to its own day, and is not counted against this one.
  await deliver(f.db, [used()], 'w1')
  assert.equal(spentOf(await f.round([alive('w1')], [], midnight + 120_000), midnight), 0n)
})

test('a record of the next window is never lost because the last one is counted anew in the same round', async () => {
  await using f = await fixture()
  await f.set({ unit: 'tokens', limit: 1000n })
  const midnight = DAY + 86_400_000
  await f.round([], [], midnight - 30_000)
  // From a gateway whose clock is ahead; a mapping comes with it.
  await deliver(f.db, [usageRecord({ eventId: createIdSource(() => midnight + 1)(), startedAt: midnight + 1, endedAt: midnight + 2 })])
  await mapAuthId(f.db, { authId: 'late', organizationId: f.organizationId })
  await f.round([], [], midnight - 20_000)
  assert.equal(spentOf(await f.round([], [], midnight + 1000), midnight), 110n)
})

test('bifrost-2683: a prepaid budget never begins anew, counts from when it was made, and can be topped up by several at once', async () => {
  await using f = await fixture()
  await deliver(f.db, [used({ startedAt: NOW - 1000 })], 'w1')
  const budgetId = await f.set({ period: 'prepaid', limit: COST })
  await deliver(f.db, [used()], 'w1')
  const later = NOW + 400 * 86_400_000
  assert.equal(spentOf(await f.round([alive('w1')], [], later), 0), COST)
  const tops = [1, 2, 3].map((part) => topUpBudget(f.db, { budgetId, amount: COST * BigInt(part), by: 'test' }, later))
  assert.deepEqual(
    (await Promise.all(tops)).map(({ kind }) => kind),
    ['topped_up', 'topped_up', 'topped_up'],
  )
  const snapshot = await f.round([alive('w1')], [], later)
  assert.equal(accountOf(snapshot, 0).limit, String(COST * 7n))
  assert.equal(grantedTo(snapshot, 'w1', 0), COST * 7n)
})

test('next() counts what a dead gateway holds as spent until its journal was shipped, and then what it really spent', async () => {
  await using f = await fixture()
  await f.set({ limit: COST * 10n })
  await f.round([alive('dead')])
  // It is killed with everything in its hands; another one comes.
  const later = NOW + 20_000
  const next = (gone: readonly string[] = []): Promise<AdmissionSnapshot> => f.round([alive('next')], gone, later)
  assert.equal(grantedTo(await next(), 'next'), 0n)
  await deliver(f.db, [used(), used()], 'dead')
  assert.equal(grantedTo(await next(), 'next'), 0n, 'its journal may hold more')
  assert.deepEqual((await f.rounds.next({ reports: [alive('next')], gone: [], now: later })).openWriters, ['dead'])
  await next(['dead'])
  const freed = await next(['dead'])
  assert.equal(grantedTo(freed, 'next'), COST * 8n)
  assert.equal(spentOf(freed), COST * 2n)
})

test('setBudget() lowers and raises a limit from an instant on; what is not leased yet follows at once', async () => {
  await using f = await fixture()
  await f.set({ limit: 100n, unit: 'tokens' })
  assert.equal((await setLimit(f, 40n)).kind, 'changed')
  assert.equal((await setLimit(f, 40n)).kind, 'unchanged')
  assert.equal((await setLimit(f, 70n, NOW + 1000)).kind, 'changed')
  const limits = [0, 999, 1000].map(async (ms) => accountOf(await f.round([], [], NOW + ms)).limit)
  assert.deepEqual(await Promise.all(limits), ['40', '40', '70'])
})

function setLimit(f: Fixture, limit: bigint, from?: number): ReturnType<typeof setBudget> {
  const key = { scope: 'organization', subject: f.organizationId, unit: 'tokens', period: 'day' } as const
  return setBudget(f.db, { ...key, limit, by: 'test', ...(from !== undefined && { from }) }, NOW)
}

test('envoy-quota-name-mismatch: setBudget() and setRateLimit() refuse what would match nothing', async () => {
  await using f = await fixture()
  const key = { unit: 'tokens', period: 'day', limit: 1n, by: 'test' } as const
  for (const scope of ['organization', 'user', 'group', 'credential'] as const) {
    assert.deepEqual(await setBudget(f.db, { ...key, scope, subject: 'acmee' }, NOW), { kind: 'unknown_subject' })
  }
  assert.deepEqual(await setRateLimit(f.db, { scope: 'credential', subject: 'auth-9', requestsPerMinute: 1, by: 'test' }), {
    kind: 'unknown_subject',
  })
  assert.equal((await setBudget(f.db, { ...key, scope: 'credential', subject: 'auth-1' }, NOW)).kind, 'created')
})

test('agentgateway-policy-overlap: setBudget() says loudly when another rule for the same is in the way', async () => {
  await using f = await fixture()
  const budgetId = await f.set({ from: NOW + 5000, unit: 'tokens', limit: 5n })
  assert.deepEqual(await setLimit(f, 1n), { kind: 'overlap', budgetId, from: NOW + 5000 })
  const euro = { scope: 'organization', subject: f.organizationId, unit: 'EUR', period: 'day', limit: 1n, by: 'test' } as const
  assert.deepEqual(await setBudget(f.db, euro, NOW), { kind: 'other_currency', currency: 'USD' })
})

test('endBudget() ends a budget; another one may follow', async () => {
  await using f = await fixture()
  const budgetId = await f.set({})
  await f.round([alive('w1')])
  assert.equal(await endBudget(f.db, { budgetId, by: 'test' }, NOW), 'ended')
  assert.equal(await endBudget(f.db, { budgetId, by: 'test' }, NOW + 1), 'already_ended')
  assert.equal(await endBudget(f.db, { budgetId: 'x', by: 'test' }, NOW), 'unknown_budget')
  const after = await f.round([alive('w1')], [], NOW + 1)
  assert.deepEqual([after.budgets, after.accounts], [[], []])
  assert.notEqual(await f.set({}), budgetId)
})

test('next() says whose the auth ids are that an edge names, where a rule concerns them', async () => {
  await using f = await fixture()
  const key = await createCredential(f.db, { organizationId: f.organizationId, publicId: 'p1', hmac: 'h', scopes: ['inference'] })
  assert.equal((await f.rounds.next({ reports: [], gone: [], now: NOW })).snapshot, undefined, 'no rules, no work')
  await setRateLimit(f.db, { scope: 'organization', subject: f.organizationId, requestsPerMinute: 60, by: 'test' })
  const snapshot = await f.round([alive('w1'), alive('w2')])
  assert.deepEqual(snapshot.subjects, { 'auth-1': { organizationId: f.organizationId } })
  assert.deepEqual(snapshot.limits, [{ scope: 'organization', subject: f.organizationId, requestsPerMinute: 60 }])
  assert.equal(snapshot.gateways, 2)
  // Gateways have no key of it any more, and an edge may name it all the same.
  const authId = 'authId' in key ? key.authId : assert.fail(key.kind)
  await revokeCredential(f.db, authId)
  assert.deepEqual(new Set(Object.keys((await f.round()).subjects)), new Set([authId, 'auth-1']))
})
