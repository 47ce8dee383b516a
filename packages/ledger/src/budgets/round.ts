import { createHash } from 'node:crypto'
import { EACH, initialGrant, planGrants, windowOf } from '@ascribe/admission'
import type { Account, AdmissionSnapshot, LeaseReport, PriceList } from '@ascribe/admission'
import type { Database, Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { ingestHorizon } from '../locks.ts'
import { createBookShelf } from '../price-versions.ts'
import type { BookShelf } from '../price-versions.ts'
import { Accounts, recallOf, spentOf } from './accounts.ts'
import type { AccountDraft, Writer } from './accounts.ts'
import { raiseAlerts } from './alerts.ts'
import { readConsumption } from './consumption.ts'
import type { Consumption } from './consumption.ts'
import { listsFrom, readPriceLists } from './price-lists.ts'
import { budgetOf, currenciesOf, isInForceWithin, limitAt, readBudgetRules, readRateLimitRules } from './rules.ts'
import type { BudgetRule } from './rules.ts'
import { createSubjectReader } from './subjects.ts'
import { noteWriters } from './writers.ts'

/** What is known of gateways since the last round. */
export type BudgetNews = {
  /** Of those that have told of themselves lately. */
  readonly reports: readonly LeaseReport[]
  /** Of those that have said that they take no more requests. */
  readonly closed?: readonly string[]
  /** Writers that are dead, and whose journals were shipped to the end before this call. */
  readonly gone: readonly string[]
  readonly now: Instant
}

export type BudgetRound = {
  /** What gateways are to know; `undefined`: no rule was ever made. */
  readonly snapshot: AdmissionSnapshot | undefined
  /** Writers whose end is not known: somebody has to find out. */
  readonly openWriters: readonly string[]
}

/** Counts and grants, one round a call. Remembers price books and the directory from one to the next. */
export type BudgetRounds = { next(news: BudgetNews): Promise<BudgetRound> }

/** A window that begins so soon is granted already: at midnight no gateway has to wait. */
const AHEAD_MS = 60_000
/** Prices that were in force so recently are still told: a request belongs to the instant at which it began. */
const PAST_PRICES_MS = 3_600_000
/** A recall that not everybody has followed by now is not waited for: who does not follow may be dead. */
const RECALL_MS = 5000

/** Makes the rounds of one settler. */
export function createBudgetRounds(db: Database): BudgetRounds {
  const books = createBookShelf()
  const subjects = createSubjectReader()
  return { next: (news) => db.transaction((tx) => runRound(tx, news, { books, subjects })) }
}

type Memory = { readonly books: BookShelf; readonly subjects: ReturnType<typeof createSubjectReader> }

type State = {
  readonly counted_below: bigint
  readonly marker: string
  readonly rules: bigint
  readonly version: bigint
  readonly digest: string
  readonly ledger_id: string
}

/**
 * One round, in one transaction that no other round runs beside: counts the records that came, hears what gateways tell, grants what
 * is free, raises alerts, and gives what gateways are to know. Whatever fails, the next round does it anew.
 */
async function runRound(tx: Queryable, news: BudgetNews, memory: Memory): Promise<BudgetRound> {
  const { now } = news
  const { rows } = await tx.query<State>(
    'select s.counted_below, s.marker, s.rules, s.version, s.digest, p.ledger_id from budget_state s, policy_version p for update of s',
  )
  const [state] = rows
  if (state === undefined) throw new Error('budget_state has no row')
  const [rules, limits] = [await readBudgetRules(tx, now), await readRateLimitRules(tx)]
  if (rules.length === 0 && limits.length === 0 && state.version === 0n) return { snapshot: undefined, openWriters: [] }
  const horizon = await ingestHorizon(tx)
  const writers = await noteWriters(tx, news, horizon)
  const prices = await readPrices(tx, rules, now, memory.books)
  const accounts = await Accounts.read(tx, writers, { since: firstWindow(rules, now) })
  const marker = await readMarker(tx)
  await count(tx, { rules, prices, accounts, now }, { from: state.counted_below, below: horizon, anew: marker !== state.marker })
  accounts.hear(news.reports, (budget, start) => isWindowOf(rules, budget, start, now))
  const live = [...writers].filter(([, writer]) => writer.live).map(([name]) => name)
  const shown: { readonly rule: BudgetRule; readonly account: AccountDraft }[] = []
  for (const { rule, start } of windowsOf(rules, now)) {
    for (const account of grant({ rule, start, accounts, live, writers, now })) shown.push({ rule, account })
  }
  await accounts.write(tx)
  await raiseAlerts(
    tx,
    shown.map(({ rule, account }) => ({ rule, account, limit: limitAt(rule, Math.max(now, account.start)) })),
  )
  const content = {
    ledger: state.ledger_id,
    rules: Number(state.rules),
    gateways: Math.max(1, live.length),
    budgets: rules.map(budgetOf),
    accounts: shown.map(({ rule, account }) => accountOf(rule, account, writers, now)),
    limits,
    prices: prices.flatMap((lists) => listsFrom(lists, now - PAST_PRICES_MS)),
    subjects: await memory.subjects(tx, { budgets: rules, limits }),
  }
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  const version = digest === state.digest ? state.version : state.version + 1n
  if (version !== state.version || horizon !== state.counted_below || marker !== state.marker) {
    await tx.query('update budget_state set counted_below = $1::bigint, marker = $2::text, version = $3::bigint, digest = $4::text', [
      horizon,
      marker,
      version,
      digest,
    ])
  }
  const openWriters = [...writers].filter(([, writer]) => !writer.live && !writer.ended).map(([name]) => name)
  return { snapshot: { ...content, version: Number(version) }, openWriters }
}

type Counting = {
  readonly rules: readonly BudgetRule[]
  readonly prices: readonly (readonly PriceList[])[]
  readonly accounts: Accounts
  readonly now: Instant
}

/** Counts what is new; and a budget's whole window where it has not been counted yet, or prices, acts or mappings have changed what was. */
async function count(
  tx: Queryable,
  { rules, prices, accounts, now }: Counting,
  { from, below, anew }: { readonly from: bigint; readonly below: bigint; readonly anew: boolean },
): Promise<void> {
  const known = { budgets: rules, prices: prices.flat() }
  const since = firstWindow(rules, now)
  const archived = anew ? await archivedUntil(tx) : -Infinity
  // What lies in an archive cannot be counted any more: of such a prepaid budget what was counted stands, or all of that would be free again.
  const isDue = (rule: BudgetRule): boolean => !rule.counted || (anew && Math.max(windowOf(rule.period, now).start, rule.from) >= archived)
  if (rules.length > 0 && below > from) {
    // A gateway whose clock is ahead is in the next window already, which is not counted anew below.
    const countedAnew = new Map(rules.filter(isDue).map(({ id, period }) => [id, windowOf(period, now).start]))
    const found = await readConsumption(tx, { kind: 'ingested', from, below }, known)
    const isNew = ({ budget, start }: Consumption): boolean => start > (countedAnew.get(budget) ?? -1) && (start >= since || start === 0)
    accounts.add(new Map([...found].filter(([, each]) => isNew(each))))
  }
  for (const rule of rules.filter(isDue)) {
    const window = windowOf(rule.period, now)
    const start = Math.max(window.start, rule.from)
    const found = await readConsumption(tx, { kind: 'window', budget: rule, start, end: window.end, below }, known)
    accounts.replace(rule.id, window.start, found)
  }
  const fresh = rules.filter((rule) => !rule.counted).map(({ id }) => id)
  if (fresh.length > 0) await tx.query('update budget set counted = true where budget_id = any($1::uuid[])', [fresh])
}

/** Before it some records are in an archive; -Infinity: all are here. */
async function archivedUntil(tx: Queryable): Promise<Instant> {
  const { rows } = await tx.query<{ until: Instant }>(
    'select event_id_instant(upper_id) as until from usage_archive order by upper_id desc limit 1',
  )
  return rows[0]?.until ?? -Infinity
}

type Granting = {
  readonly rule: BudgetRule
  readonly start: Instant
  readonly accounts: Accounts
  readonly live: readonly string[]
  readonly writers: ReadonlyMap<string, Writer>
  readonly now: Instant
}

/** Grants what is free in one window of a budget, and gives its accounts. */
function grant(granting: Granting): readonly AccountDraft[] {
  const { rule, start, accounts, live, now } = granting
  const limit = limitAt(rule, Math.max(now, start))
  if (rule.subject !== EACH) {
    const account = accounts.at(rule.id, rule.subject, start)
    for (const name of live) accounts.row(account, name)
    plan(account, limit, now)
    return [account]
  }
  const initial = accounts.at(rule.id, EACH, start)
  for (const name of live) {
    const given = [...initial.rows.values()].reduce((sum, row) => (row.ended ? sum : sum + row.granted), 0n)
    const row = accounts.row(initial, name)
    if (row.granted === 0n) row.granted = initialGrant(limit, given)
  }
  const each = [...accounts].filter((account) => account.budget === rule.id && account.start === start && account.subject !== EACH)
  for (const account of each) {
    // What everybody has at first is his, whether or not he has been told so for this subject.
    for (const { writer, granted, ended } of initial.rows.values()) {
      const row = accounts.row(account, writer)
      if (!ended && granted > row.granted) row.granted = granted
    }
    for (const name of live) accounts.row(account, name)
    plan(account, limit, now)
  }
  return [initial, ...each]
}

function plan(account: AccountDraft, limit: bigint, now: Instant): void {
  const rows = [...account.rows.values()]
  const { recall } = account
  const isRecalling =
    now - recall.at < RECALL_MS && rows.some((row) => row.live && row.granted > row.returned && row.recalled < recall.sequence)
  const { granted, recall: wish } = planGrants(limit, rows, { isRecalling })
  for (const row of rows) row.granted = granted.get(row.writer) ?? row.granted
  if (wish !== undefined) account.recall = { sequence: recall.sequence + 1, keep: wish.keep, at: now }
}

function accountOf(rule: BudgetRule, account: AccountDraft, writers: ReadonlyMap<string, Writer>, now: Instant): Account {
  const recall = recallOf(account)
  const leases = [...account.rows.values()].filter((row) => writers.get(row.writer)?.ended === false)
  return {
    budget: account.budget,
    subject: account.subject,
    start: account.start,
    limit: String(limitAt(rule, Math.max(now, account.start))),
    spent: String(spentOf(account)),
    ...(recall !== undefined && { recall }),
    leases: Object.fromEntries(leases.map((row) => [row.writer, { granted: String(row.granted), consumed: String(row.consumed) }])),
  }
}

/** The windows in which something is granted now: those that last, and those that begin soon. */
function windowsOf(rules: readonly BudgetRule[], now: Instant): readonly { readonly rule: BudgetRule; readonly start: Instant }[] {
  return rules.flatMap((rule) => {
    const windows = [windowOf(rule.period, now), windowOf(rule.period, now + AHEAD_MS)]
    return windows
      .filter(({ start }, index) => windows.findIndex((window) => window.start === start) === index)
      .filter(({ start, end }) => isInForceWithin(rule, start, end))
      .map(({ start }) => ({ rule, start }))
  })
}

/** Where the earliest window begins that lasts. */
function firstWindow(rules: readonly BudgetRule[], now: Instant): Instant {
  return rules.reduce((first, { period }) => (period === 'prepaid' ? first : Math.min(first, windowOf(period, now).start)), now)
}

/** Whether a report is about a window that counts still. */
function isWindowOf(rules: readonly BudgetRule[], budget: string, start: Instant, now: Instant): boolean {
  return windowsOf(
    rules.filter(({ id }) => id === budget),
    now,
  ).some((window) => window.start === start)
}

async function readPrices(
  tx: Queryable,
  rules: readonly BudgetRule[],
  now: Instant,
  books: BookShelf,
): Promise<readonly (readonly PriceList[])[]> {
  const lists: (readonly PriceList[])[] = []
  for (const currency of currenciesOf(rules, now)) lists.push(await readPriceLists(tx, { currency, books }))
  return lists
}

// What changes the cost of records that have been counted: prices, acts upon records, and mappings that came late. A mapping that is
// made together with its key is none of them: nothing can have been used with the key before.
const MARKER = `
select concat_ws('/',
  (select max(sequence) from price_version),
  (select at from record_act order by at desc limit 1),
  (select m.created_at from auth_mapping m
   where not exists (select from credential c where c.auth_id = m.auth_id and c.created_at = m.created_at)
   order by m.created_at desc limit 1)) as marker`

async function readMarker(tx: Queryable): Promise<string> {
  const { rows } = await tx.query<{ marker: string }>(MARKER)
  return rows[0]?.marker ?? ''
}
