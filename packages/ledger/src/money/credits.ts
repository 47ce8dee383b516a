import type { Database, Queryable } from '@ascribe/postgres'
import { divideHalfAwayFromZero, formatDecimal, isUuid } from '@ascribe/units'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'

/** Why a customer has credits. It decides nothing but what people are told; order is by expiry and priority. */
export type CreditKind = 'trial' | 'promotional' | 'prepaid' | 'commitment' | 'goodwill'

export const CREDIT_KINDS: readonly CreditKind[] = ['trial', 'promotional', 'prepaid', 'commitment', 'goodwill']

export type NewCredit = {
  /** Default: a new one. The same id again grants nothing. */
  readonly id?: string
  readonly organizationId: string
  /** In the organization's currency; positive. */
  readonly amount: Nano
  /** What the customer paid for all of it. Default 0: it was given. */
  readonly costBasis?: Nano
  readonly kind: CreditKind
  /** Default 100; the lowest is drawn first among blocks that expire together. */
  readonly priority?: number
  /** It pays usage from here on … */
  readonly effectiveFrom: Instant
  /** … and before this. Default: for ever. */
  readonly expiresAt?: Instant
  readonly note?: string
  readonly by: string
}

/** A block of credits, and what was left of it at an instant. */
export type CreditBlock = {
  readonly id: string
  readonly organizationId: string
  readonly currency: Currency
  readonly kind: CreditKind
  readonly amount: Nano
  readonly costBasis: Nano
  /** Decimal: what was paid for one unit of credit, to 9 places; absent when it was given. */
  readonly perUnitCostBasis: string | undefined
  readonly priority: number
  readonly effectiveFrom: Instant
  readonly expiresAt: Instant | undefined
  readonly note: string
  readonly createdAt: Instant
  readonly createdBy: string
  /** What could be spent on usage of that instant: 0 before it is in force, when it has expired, and when it is void. */
  readonly balance: Nano
  /** What is not spent: of an expired block, what an invoice of its last month may still draw. */
  readonly remaining: Nano
  readonly state: 'scheduled' | 'active' | 'spent' | 'expired' | 'void'
}

/** One change of a block's balance. */
export type CreditEntry = {
  readonly id: bigint
  readonly blockId: string
  readonly kind: 'grant' | 'draw' | 'return' | 'expire' | 'void'
  /** Signed. */
  readonly amount: Nano
  /** What was left afterwards. */
  readonly balanceAfter: Nano
  readonly at: Instant
  /** What drew it or gave it back; always there on `draw` and `return`. */
  readonly invoiceId: string | undefined
  /** Absent while the invoice is a draft. */
  readonly invoiceNumber: string | undefined
  readonly reason: string
  readonly createdAt: Instant
  readonly createdBy: string
}

export type GrantOutcome = { readonly outcome: 'granted' | 'exists' | 'conflict'; readonly id: string }

const GRANT = `
insert into credit_block (credit_block_id, organization_id, currency, kind, amount_nano, cost_basis_nano, priority, effective_from,
  expires_at, note, created_by, remaining_nano)
select coalesce($1::uuid, gen_random_uuid()), organization_id, currency, $3::text, $4::numeric, $5::numeric, $6::integer,
  $7::timestamptz, $8::timestamptz, $9::text, $10::text, $4::numeric
from organization where organization_id = $2::uuid
on conflict (credit_block_id) do nothing
returning credit_block_id`

/**
 * Gives an organization credits. `exists`: the same block was granted before; `conflict`: the id is taken by another.
 * @throws {LedgerInputError} for an organization that does not exist, and for amounts or times that make no block
 */
export async function grantCredit(db: Database, credit: NewCredit): Promise<GrantOutcome> {
  const { organizationId, amount, costBasis = 0n, kind, priority = 100, effectiveFrom, expiresAt, note = '', by } = credit
  checkCredit(credit)
  return db.transaction(async (tx) => {
    const created = await tx.query<{ credit_block_id: string }>(GRANT, [
      credit.id ?? null,
      organizationId,
      kind,
      amount,
      costBasis,
      priority,
      sqlInstant(effectiveFrom),
      expiresAt === undefined ? null : sqlInstant(expiresAt),
      note,
      by,
    ])
    const [block] = created.rows
    if (block === undefined) return existing(tx, credit)
    await tx.query(
      `insert into credit_entry (credit_block_id, kind, amount_nano, at, reason, created_by)
       values ($1::uuid, 'grant', $2::numeric, $3::timestamptz, $4::text, $5::text)`,
      [block.credit_block_id, amount, sqlInstant(effectiveFrom), note, by],
    )
    return { outcome: 'granted', id: block.credit_block_id }
  })
}

function checkCredit({ id, organizationId, amount, costBasis = 0n, effectiveFrom, expiresAt }: NewCredit): void {
  const refuse = (why: string, hint?: string): never => {
    throw new LedgerInputError(`Cannot grant credits: ${why}`, hint === undefined ? {} : { hint })
  }
  if (id !== undefined && !isUuid(id)) refuse(`${JSON.stringify(id)} is not a UUID`)
  if (!isUuid(organizationId)) refuse(`${JSON.stringify(organizationId)} is no organization`)
  if (amount <= 0n) refuse('the amount is not positive')
  if (costBasis < 0n) refuse('the cost basis is negative')
  if (expiresAt !== undefined && expiresAt <= effectiveFrom) refuse('they would expire before they begin', 'Give a later end.')
}

/** A second statement, not one: the row of another transaction that we waited for is visible only now. */
async function existing(tx: Queryable, credit: NewCredit): Promise<GrantOutcome> {
  const { rows } = await tx.query<{ credit_block_id: string; same: boolean }>(
    `select credit_block_id, (organization_id, kind, amount_nano, cost_basis_nano, priority, effective_from, expires_at)
       is not distinct from ($2::uuid, $3::text, $4::numeric, $5::numeric, $6::integer, $7::timestamptz, $8::timestamptz) as same
     from credit_block where credit_block_id = $1::uuid`,
    [
      credit.id ?? null,
      credit.organizationId,
      credit.kind,
      credit.amount,
      credit.costBasis ?? 0n,
      credit.priority ?? 100,
      sqlInstant(credit.effectiveFrom),
      credit.expiresAt === undefined ? null : sqlInstant(credit.expiresAt),
    ],
  )
  const [found] = rows
  if (found === undefined) throw new LedgerInputError(`Cannot grant credits: there is no organization ${credit.organizationId}`)
  return { outcome: found.same ? 'exists' : 'conflict', id: found.credit_block_id }
}

type BlockRow = {
  readonly credit_block_id: string
  readonly organization_id: string
  readonly currency: string
  readonly kind: CreditKind
  readonly amount_nano: string
  readonly cost_basis_nano: string
  readonly priority: number
  readonly effective_from: number
  readonly expires_at: number | null
  readonly note: string
  readonly created_at: number
  readonly created_by: string
  readonly remaining: string
  readonly voided_at: number | null
}

const BLOCKS = `
select b.credit_block_id, b.organization_id, b.currency, b.kind, b.amount_nano, b.cost_basis_nano, b.priority, b.effective_from,
  b.expires_at, b.note, b.created_at, b.created_by, b.voided_at,
  (select coalesce(sum(e.amount_nano), 0) from credit_entry e
   where e.credit_block_id = b.credit_block_id and e.at <= $2::timestamptz) as remaining
from credit_block b where b.organization_id = $1::uuid
order by b.expires_at nulls last, b.priority, b.created_at, b.credit_block_id`

/** The blocks of an organization as they were at an instant, in the order in which they are drawn. */
export async function listCredits(
  db: Queryable,
  { organizationId, at }: { readonly organizationId: string; readonly at: Instant },
): Promise<readonly CreditBlock[]> {
  if (!isUuid(organizationId)) return []
  const { rows } = await db.query<BlockRow>(BLOCKS, [organizationId, sqlInstant(at)])
  return rows.map((row) => blockOf(row, at))
}

function blockOf(row: BlockRow, at: Instant): CreditBlock {
  const remaining = BigInt(row.remaining)
  const isVoid = row.voided_at !== null && row.voided_at <= at
  const expiresAt = row.expires_at ?? undefined
  const state = isVoid
    ? 'void'
    : at < row.effective_from
      ? 'scheduled'
      : expiresAt !== undefined && expiresAt <= at
        ? 'expired'
        : remaining === 0n
          ? 'spent'
          : 'active'
  return {
    id: row.credit_block_id,
    organizationId: row.organization_id,
    currency: row.currency,
    kind: row.kind,
    amount: BigInt(row.amount_nano),
    costBasis: BigInt(row.cost_basis_nano),
    perUnitCostBasis: perUnit(BigInt(row.cost_basis_nano), BigInt(row.amount_nano)),
    priority: row.priority,
    effectiveFrom: row.effective_from,
    expiresAt,
    note: row.note,
    createdAt: row.created_at,
    createdBy: row.created_by,
    balance: state === 'active' ? remaining : 0n,
    remaining,
    state,
  }
}

const UNIT_PLACES = 9

function perUnit(costBasis: Nano, amount: Nano): string | undefined {
  if (costBasis === 0n) return undefined
  return formatDecimal(divideHalfAwayFromZero(costBasis * 10n ** BigInt(UNIT_PLACES), amount), UNIT_PLACES)
}

type EntryRow = {
  readonly credit_entry_id: bigint
  readonly credit_block_id: string
  readonly kind: CreditEntry['kind']
  readonly amount_nano: string
  readonly balance_after: string
  readonly at: number
  readonly invoice_id: string | null
  readonly number: string | null
  readonly reason: string
  readonly created_at: number
  readonly created_by: string
}

const ENTRIES = `
select e.credit_entry_id, e.credit_block_id, e.kind, e.amount_nano, e.at, e.invoice_id, i.number, e.reason, e.created_at, e.created_by,
  sum(e.amount_nano) over (partition by e.credit_block_id order by e.credit_entry_id) as balance_after
from credit_entry e left join invoice i using (invoice_id)
where e.credit_block_id in (select credit_block_id from credit_block where organization_id = $1::uuid)
  and ($2::uuid is null or e.credit_block_id = $2::uuid)
order by e.credit_entry_id`

/** Everything that happened to an organization's credits, or to one block, in the order in which it was booked. */
export async function listCreditEntries(
  db: Queryable,
  { organizationId, blockId }: { readonly organizationId: string; readonly blockId?: string },
): Promise<readonly CreditEntry[]> {
  if (!isUuid(organizationId) || (blockId !== undefined && !isUuid(blockId))) return []
  const { rows } = await db.query<EntryRow>(ENTRIES, [organizationId, blockId ?? null])
  return rows.map((row) => ({
    id: row.credit_entry_id,
    blockId: row.credit_block_id,
    kind: row.kind,
    amount: BigInt(row.amount_nano),
    balanceAfter: BigInt(row.balance_after),
    at: row.at,
    invoiceId: row.invoice_id ?? undefined,
    invoiceNumber: row.number ?? undefined,
    reason: row.reason,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }))
}

const VOID = `
with locked as (select credit_block_id, remaining_nano from credit_block where credit_block_id = $1::uuid and voided_at is null for update),
voided as (
  update credit_block b set remaining_nano = 0, voided_at = $2::timestamptz from locked where b.credit_block_id = locked.credit_block_id
  returning b.credit_block_id
), booked as (
  insert into credit_entry (credit_block_id, kind, amount_nano, at, reason, created_by)
  select credit_block_id, 'void', -remaining_nano, $2::timestamptz, $3::text, $4::text from locked where remaining_nano > 0
)
select l.remaining_nano from locked l join voided using (credit_block_id)`

/** Takes back what is left of a block; what was drawn stays drawn. Gives what was left, or says why not. */
export async function voidCredit(
  db: Queryable,
  { blockId, at, reason, by }: { readonly blockId: string; readonly at: Instant; readonly reason: string; readonly by: string },
): Promise<{ readonly outcome: 'voided'; readonly amount: Nano } | { readonly outcome: 'already_void' | 'not_found' }> {
  if (!isUuid(blockId)) return { outcome: 'not_found' }
  const { rows } = await db.query<{ remaining_nano: string }>(VOID, [blockId, sqlInstant(at), reason, by])
  const [voided] = rows
  if (voided !== undefined) return { outcome: 'voided', amount: BigInt(voided.remaining_nano) }
  const { rowCount } = await db.query('select from credit_block where credit_block_id = $1::uuid', [blockId])
  return { outcome: rowCount === 0 ? 'not_found' : 'already_void' }
}
