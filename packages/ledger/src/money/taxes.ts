import type { Queryable } from '@ascribe/postgres'
import { formatDecimal, isUuid, monthOf, parseDecimal, roundToMinor } from '@ascribe/units'
import type { Currency, Nano } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'

/** A tax in per cent, for one organization, else for a country, else for everybody. */
export type TaxRule = {
  readonly id: bigint
  readonly name: string
  /** Decimal, per cent: `19`, `7.7`. */
  readonly ratePercent: string
  readonly organizationId: string | undefined
  /** ISO 3166-1 alpha-2, of the billed party. */
  readonly country: string | undefined
  readonly note: string
  /** Days, `2026-01-01`. */
  readonly effectiveFrom: string
  /** The first day on which it no longer applies. */
  readonly effectiveUntil: string | undefined
}

export type NewTaxRule = Omit<TaxRule, 'id' | 'effectiveUntil'> & { readonly by: string }

type RuleRow = {
  readonly tax_rule_id: bigint
  readonly name: string
  readonly rate_percent: string
  readonly organization_id: string | null
  readonly country: string | null
  readonly note: string
  readonly effective_from: string
  readonly effective_until: string | null
}

const COLUMNS = 'tax_rule_id, name, rate_percent, organization_id, country, note, effective_from, effective_until'
/** Places of a rate in per cent. */
const PERCENT_PLACES = 6

/** Adds a tax from a day on. @throws {LedgerInputError} */
export async function addTaxRule(db: Queryable, rule: NewTaxRule): Promise<TaxRule> {
  const rate = parseDecimal(rule.ratePercent, PERCENT_PLACES)
  const refuse = (why: string, hint: string): never => {
    throw new LedgerInputError(`Cannot add the tax ${JSON.stringify(rule.name)}: ${why}`, { hint })
  }
  if (typeof rate !== 'bigint' || rate < 0n || rate > 100n * 10n ** BigInt(PERCENT_PLACES))
    refuse(`${JSON.stringify(rule.ratePercent)} is no rate`, 'Write per cent from 0 to 100 with at most six places, such as 19 or 7.7.')
  if (rule.organizationId !== undefined && rule.country !== undefined)
    refuse('it names an organization and a country', 'Name one of them, or none.')
  if (rule.organizationId !== undefined && !isUuid(rule.organizationId)) refuse(`${rule.organizationId} is no organization`, 'Give its id.')
  if (rule.country !== undefined && !/^[A-Z]{2}$/.test(rule.country))
    refuse(`${JSON.stringify(rule.country)} is no country`, 'Write two capital letters, such as DE.')
  const { rows } = await db.query<RuleRow>(
    `insert into tax_rule (name, rate_percent, organization_id, country, note, effective_from, created_by)
     values ($1::text, $2::numeric, $3::uuid, $4::text, $5::text, $6::date, $7::text) returning ${COLUMNS}`,
    [rule.name, rule.ratePercent, rule.organizationId ?? null, rule.country ?? null, rule.note, rule.effectiveFrom, rule.by],
  )
  const [row] = rows.map(ruleOf)
  if (row === undefined) throw new Error('insert into tax_rule returned no row')
  return row
}

/** Ends a tax: it does not apply from that day on. Issued invoices keep it. */
export async function endTaxRule(
  db: Queryable,
  { id, day }: { readonly id: bigint; readonly day: string },
): Promise<'ended' | 'not_found'> {
  const { rowCount } = await db.query(
    'update tax_rule set effective_until = $2::date where tax_rule_id = $1::bigint and effective_until is null and effective_from <= $2::date',
    [id, day],
  )
  return rowCount === 1 ? 'ended' : 'not_found'
}

/** All taxes that there are or were. */
export async function listTaxRules(db: Queryable): Promise<readonly TaxRule[]> {
  const { rows } = await db.query<RuleRow>(`select ${COLUMNS} from tax_rule order by tax_rule_id`)
  return rows.map(ruleOf)
}

/**
 * The taxes on an organization's invoice for a month: those in force on its last day. Rules for the organization stand in place of
 * those for its country, and these in place of those for everybody.
 */
export async function taxRulesFor(
  db: Queryable,
  { organizationId, country, month }: { readonly organizationId: string; readonly country: string; readonly month: string },
): Promise<readonly TaxRule[]> {
  const period = monthOf(month)
  if (period === undefined) return []
  const day = new Date(period.end - 1).toISOString().slice(0, 10)
  const { rows } = await db.query<RuleRow>(
    `select ${COLUMNS} from tax_rule
     where effective_from <= $1::date and (effective_until is null or effective_until > $1::date)
       and (organization_id = $2::uuid or country = $3::text or (organization_id is null and country is null))
     order by tax_rule_id`,
    [day, organizationId, country],
  )
  const own = rows.filter((row) => row.organization_id !== null)
  const national = rows.filter((row) => row.country !== null)
  return (own.length > 0 ? own : national.length > 0 ? national : rows).map(ruleOf)
}

function ruleOf(row: RuleRow): TaxRule {
  return {
    id: row.tax_rule_id,
    name: row.name,
    ratePercent: plainPercent(row.rate_percent),
    organizationId: row.organization_id ?? undefined,
    country: row.country ?? undefined,
    note: row.note,
    effectiveFrom: row.effective_from,
    effectiveUntil: row.effective_until ?? undefined,
  }
}

function plainPercent(stored: string): string {
  return formatDecimal(percentOf(stored), PERCENT_PLACES)
}

function percentOf(text: string): bigint {
  const rate = parseDecimal(text, PERCENT_PLACES)
  if (typeof rate !== 'bigint') throw new RangeError(`Cannot use the tax rate ${text}: it is no decimal of six places`)
  return rate
}

/** Per cent, in 10^-6: what a base times a rate is divided by. */
const PERCENT_DIVISOR = 100n * 10n ** BigInt(PERCENT_PLACES)

/** The tax on a base, exact, then rounded once to the minor unit, half away from zero. */
export function taxOn(base: Nano, ratePercent: string, currency: Currency): Nano {
  return roundToMinor(base * percentOf(ratePercent), currency, { divisor: PERCENT_DIVISOR })
}
