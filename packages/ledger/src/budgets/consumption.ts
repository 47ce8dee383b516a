import { EACH, PriceTable, TOKENS, accountKey, budgetsFor, isTokenMeter, windowOf } from '@ascribe/admission'
import type { Amount, Budget, BudgetScope, PriceList } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { MAPPING_AT_INSTANT } from '../attribution-sql.ts'
import { countedSql } from '../counted-sql.ts'
import { sqlInstant } from '../instants.ts'
import { idBoundsSql } from '../partitions.ts'
import { COMMON_METERS } from '../record-row.ts'
import { PRICED_MODEL_SQL } from '../usage-group.ts'

/** What writers have spent of one account. */
export type Consumption = {
  readonly budget: string
  readonly subject: string
  readonly start: Instant
  /** By writer. */
  readonly spent: Map<string, Amount>
}

/** By {@link accountKey}. */
export type Consumptions = ReadonlyMap<string, Consumption>

/** Which records: those of some ingesting transactions, or those that one budget bounds in one window. */
export type Counted =
  | { readonly kind: 'ingested'; readonly from: bigint; readonly below: bigint }
  | { readonly kind: 'window'; readonly budget: Budget; readonly start: Instant; readonly end: Instant; readonly below: bigint }

type Row = {
  readonly writer: string
  readonly auth_id: string
  readonly organization_id: string | null
  readonly user_id: string | null
  readonly group_id: string | null
  readonly model: string | null
  readonly base_model: string | null
  readonly other_meters: Readonly<Record<string, number>> | null
  readonly first_instant: number
  readonly record_count: bigint
} & Readonly<Record<(typeof COMMON_METERS)[number], string | null>>

// An edge is believed. What an organization's key reports names a user by itself: only its own members' budgets may count that, or anybody could
// use up the budget of somebody else's user.
const USER = `coalesce(m.user_id, case when r.identified_by <> 'event'
  or exists (select from organization_member o where o.user_id = r.user_id and o.organization_id = m.organization_id) then r.user_id end)`
const GROUP = 'coalesce(m.group_id, r.group_id)'

/** Column expressions of the subject that a budget of a scope bounds. */
const SUBJECT_SQL: Readonly<Record<BudgetScope, string>> = {
  organization: 'm.organization_id::text',
  user: USER,
  group: GROUP,
  credential: 'r.auth_id',
}

// Records that are alike for every rule: one day, one stretch between two cuts (prices or rules change there), one identity, one model.
// Text of PostgreSQL 15: `date_trunc` with a zone, `width_bucket` over an array, which says how many cuts are not after an instant.
const groupSql = (where: string): string => `
select r.writer, r.auth_id, m.organization_id, ${USER} as user_id, ${GROUP} as group_id, ${PRICED_MODEL_SQL} as model, r.base_model,
  r.other_meters, min(r.instant) as first_instant, count(*) as record_count,
  ${COMMON_METERS.map((meter) => `sum(r.${meter})::text as ${meter}`).join(', ')}
from usage_record r ${MAPPING_AT_INSTANT}
where ${where} and ${countedSql()}
group by 1, 2, 3, 4, 5, 6, 7, 8, date_trunc('day', r.instant, 'UTC'), width_bucket(r.instant, $1::timestamptz[])`

// By the index on ingest_transaction.
const INGESTED = groupSql('r.ingest_transaction >= $2::bigint and r.ingest_transaction < $3::bigint')

function windowSql(scope: BudgetScope): string {
  return groupSql(
    `r.instant >= $2::timestamptz and r.instant < $3::timestamptz and ${idBoundsSql('$2::timestamptz', '$3::timestamptz')}
    and r.ingest_transaction < $4::bigint and ($5::text = '${EACH}' or ${SUBJECT_SQL[scope]} = $5::text)`,
  )
}

/**
 * What records cost, for each account that they count against. In money at the rates of the snapshot, exact: for linear prices this is
 * what is charged, before it is rounded to 10^-9; where the price depends on the total of a month it is the dearest tier's. What is held
 * because it has no price counts at the dearest rate of its meter, and anew once it has one. What nobody knows counts as nothing.
 */
export async function readConsumption(
  db: Queryable,
  counted: Counted,
  { budgets, prices }: { readonly budgets: readonly Budget[]; readonly prices: readonly PriceList[] },
): Promise<Consumptions> {
  const tables = new Map(
    [...new Set(prices.map(({ currency }) => currency))].map((currency): [string, PriceTable] => [
      currency,
      new PriceTable(prices.filter((list) => list.currency === currency)),
    ]),
  )
  const rules = Map.groupBy(budgets, ({ scope, subject }) => `${scope} ${subject}`)
  const found = new Map<string, Consumption>()
  for (const row of await readRows(db, counted, cutsOf(budgets, prices))) {
    const at = row.first_instant
    const subject = {
      authId: row.auth_id,
      organizationId: row.organization_id ?? undefined,
      userId: row.user_id ?? undefined,
      groupId: row.group_id ?? undefined,
    }
    for (const { budget, subject: id } of budgetsFor(subject, at, (scope, name) => rules.get(`${scope} ${name}`) ?? [])) {
      if (counted.kind === 'window' && budget.id !== counted.budget.id) continue
      const start = windowOf(budget.period, at).start
      const account = found.getOrInsertComputed(accountKey(budget.id, id, start), () => ({
        budget: budget.id,
        subject: id,
        start,
        spent: new Map(),
      }))
      const amount = amountOf(row, budget.unit, tables)
      account.spent.set(row.writer, (account.spent.get(row.writer) ?? 0n) + amount)
    }
  }
  return found
}

async function readRows(db: Queryable, counted: Counted, cuts: readonly string[]): Promise<readonly Row[]> {
  if (counted.kind === 'ingested') {
    const { rows } = await db.query<Row>(INGESTED, [cuts, counted.from, counted.below])
    return rows
  }
  const { budget, start, end, below } = counted
  const { rows } = await db.query<Row>(windowSql(budget.scope), [
    cuts,
    sqlInstant(start),
    end === Infinity ? 'infinity' : sqlInstant(end),
    below,
    budget.subject,
  ])
  return rows
}

function cutsOf(budgets: readonly Budget[], prices: readonly PriceList[]): readonly string[] {
  const cuts = [...prices.map(({ from }) => from), ...budgets.flatMap(({ from, until }) => [from, until])]
  return [...new Set(cuts.filter((cut) => cut !== undefined))].toSorted((a, b) => a - b).map(sqlInstant)
}

function amountOf(row: Row, unit: string, tables: ReadonlyMap<string, PriceTable>): Amount {
  const meters = metersOf(row)
  if (unit === TOKENS) return meters.reduce((sum, [meter, quantity]) => (isTokenMeter(meter) ? sum + quantity : sum), 0n)
  const usage = {
    model: row.model ?? undefined,
    baseModel: row.base_model ?? undefined,
    organizationId: row.organization_id ?? undefined,
    meters,
  }
  return tables.get(unit)?.cost(usage, row.first_instant) ?? 0n
}

function metersOf(row: Row): readonly (readonly [string, bigint])[] {
  const common = COMMON_METERS.map((meter): [string, bigint] => [meter, BigInt(row[meter] ?? 0)])
  const others = Object.entries(row.other_meters ?? {}).map(([meter, count]): [string, bigint] => [meter, BigInt(count) * row.record_count])
  return [...common, ...others]
}
