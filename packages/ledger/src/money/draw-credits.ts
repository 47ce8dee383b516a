import type { Queryable } from '@ascribe/postgres'
import type { Instant, Nano, Period } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { planDraws } from './draw-plan.ts'
import type { Draw, DrawableBlock, HourlySpend } from './draw-plan.ts'
import { CreditConflictError } from './errors.ts'
import { giveBackCredit } from './give-back-credits.ts'

/** A draw, with what people should know of its block; below zero, it goes back to it. */
export type PlannedDraw = Draw & { readonly kind: string; readonly note: string; readonly expiresAt: Instant | undefined }

type BlockRow = {
  readonly credit_block_id: string
  readonly kind: string
  readonly note: string
  readonly remaining_nano: string
  readonly effective_from: number
  readonly expires_at: number | null
  readonly priority: number
  readonly created_at: number
}

// Locked in the order of drawing, which never changes: two invoices of one organization wait for each other and cannot deadlock.
const BLOCKS = `
select credit_block_id, kind, note, remaining_nano, effective_from, expires_at, priority, created_at from credit_block
where organization_id = $1::uuid and remaining_nano > 0 and voided_at is null
  and effective_from < $3::timestamptz and (expires_at is null or expires_at > $2::timestamptz)
order by expires_at nulls last, priority, created_at, credit_block_id`

const HOURS = `
select hour, sum(amount_nano) as amount from charge
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
group by hour order by hour`

export type DrawQuery = {
  readonly organizationId: string
  readonly period: Period
  /** What credits may pay in the period: what is beyond its hourly charges counts for the last instant. */
  readonly payable: Nano
}

/**
 * What an invoice of the period draws. With `lock`, nobody else can draw from these blocks until the transaction ends, so that what is
 * planned can be drawn.
 */
export async function planCreditDraws(
  tx: Queryable,
  query: DrawQuery,
  { lock }: { readonly lock: boolean },
): Promise<readonly PlannedDraw[]> {
  const { organizationId, period, payable } = query
  if (payable <= 0n) return []
  const values = [organizationId, sqlInstant(period.start), sqlInstant(period.end)]
  const { rows } = await tx.query<BlockRow>(lock ? `${BLOCKS} for update` : BLOCKS, values)
  if (rows.length === 0) return []
  const hours = await tx.query<{ hour: number; amount: string }>(HOURS, values)
  const spent: HourlySpend[] = hours.rows.map(({ hour, amount }) => ({ at: hour, amount: BigInt(amount) }))
  const hourly = spent.reduce((sum, { amount }) => sum + amount, 0n)
  spent.push({ at: period.end - 1, amount: payable - hourly })
  const blocks = new Map(rows.map((row) => [row.credit_block_id, row]))
  return planDraws(rows.map(drawableOf), spent).map((draw) => {
    const row = blocks.get(draw.blockId)
    return { ...draw, kind: row?.kind ?? '', note: row?.note ?? '', expiresAt: row?.expires_at ?? undefined }
  })
}

function drawableOf(row: BlockRow): DrawableBlock {
  return {
    id: row.credit_block_id,
    remaining: BigInt(row.remaining_nano),
    effectiveFrom: row.effective_from,
    expiresAt: row.expires_at ?? undefined,
    priority: row.priority,
    createdAt: row.created_at,
  }
}

// One statement: the balance is looked at where it is changed, and the entry exists only if it was.
const DRAW = `
with drawn as (
  update credit_block set remaining_nano = remaining_nano - $2::numeric
  where credit_block_id = $1::uuid and voided_at is null and remaining_nano >= $2::numeric
  returning credit_block_id
)
insert into credit_entry (credit_block_id, kind, amount_nano, at, invoice_id, created_by)
select credit_block_id, 'draw', -$2::numeric, $3::timestamptz, $4::uuid, $5::text from drawn`

/** Draws from one block for an invoice, or does nothing: `insufficient` when less than that is left. The amount is positive. */
export async function drawCredit(
  tx: Queryable,
  { blockId, amount, invoiceId, at, by }: Draw & { readonly invoiceId: string; readonly at: Instant; readonly by: string },
): Promise<'drawn' | 'insufficient'> {
  const { rowCount } = await tx.query(DRAW, [blockId, amount, sqlInstant(at), invoiceId, by])
  return rowCount === 1 ? 'drawn' : 'insufficient'
}

/** Draws, or gives back, what was planned under lock. @throws {CreditConflictError} when it is not there, which rolls everything back */
export async function drawCredits(
  tx: Queryable,
  draws: readonly Draw[],
  why: { readonly invoiceId: string; readonly at: Instant; readonly by: string },
): Promise<void> {
  for (const { blockId, amount } of draws) {
    if (amount < 0n) await giveBackCredit(tx, { blockId, amount: 0n - amount, ...why })
    else if ((await drawCredit(tx, { blockId, amount, ...why })) !== 'drawn')
      throw new CreditConflictError(`Cannot draw from credit block ${blockId}: less than what was planned is left`)
  }
}

// A block that was voided meanwhile keeps nothing: what comes back is voided again.
const RETURN = `
with drawn as (
  select credit_block_id, -amount_nano as amount from credit_entry where invoice_id = $1::uuid and kind = 'draw'
), returned as (
  update credit_block b set remaining_nano = remaining_nano + case when voided_at is null then drawn.amount else 0 end
  from drawn where b.credit_block_id = drawn.credit_block_id
  returning b.credit_block_id, drawn.amount, b.voided_at
)
insert into credit_entry (credit_block_id, kind, amount_nano, at, invoice_id, reason, created_by)
select credit_block_id, kind, amount, $2::timestamptz, invoice_id, reason, $4::text from (
  select credit_block_id, 'return' as kind, amount, $1::uuid as invoice_id, $3::text as reason from returned
  union all
  select credit_block_id, 'void', -amount, null, 'the block is void' from returned where voided_at is not null
) entry order by credit_block_id, kind`

/** Gives back everything that an invoice has drawn. */
export async function returnCredits(
  tx: Queryable,
  { invoiceId, at, reason, by }: { readonly invoiceId: string; readonly at: Instant; readonly reason: string; readonly by: string },
): Promise<void> {
  await tx.query(RETURN, [invoiceId, sqlInstant(at), reason, by])
}

// Until the month in which a block ended has its invoice, that invoice may still draw from it. An organization that used nothing gets none, nor does one of
// which the provider bills all: what would be on an invoice is looked for.
const EXPIRE = `
with due as (
  select credit_block_id, remaining_nano, expires_at from credit_block b
  where expires_at <= $1::timestamptz and remaining_nano > 0 and voided_at is null
    and ($2::uuid is null or organization_id = $2::uuid)
    and utc_month(expires_at - interval '1 millisecond') <= (select max(month) from billing_period)
    and not exists (
      select from generate_series(utc_month(b.effective_from)::timestamp, utc_month(b.expires_at - interval '1 millisecond'), '1 month') m
      where not exists (
          select from invoice i where i.organization_id = b.organization_id and i.month = m::date and i.state in ('issued', 'paid'))
        and (exists (
          select from (select organization_id, hour from charge union all select organization_id, hour from period_quantity) u
          where u.organization_id = b.organization_id
            and u.hour >= greatest(m at time zone 'UTC', b.effective_from - interval '1 hour')
            and u.hour < least((m + interval '1 month') at time zone 'UTC', b.expires_at))
        -- Corrections count for the last instant of their month.
        or ((m + interval '1 month') at time zone 'UTC' <= b.expires_at and exists (
          select from adjustment a where a.organization_id = b.organization_id and a.booked_month = m::date and a.meter <> ''))))
  for update
), expired as (
  update credit_block b set remaining_nano = 0 from due where b.credit_block_id = due.credit_block_id
  returning b.credit_block_id
)
insert into credit_entry (credit_block_id, kind, amount_nano, at, reason, created_by)
select due.credit_block_id, 'expire', -due.remaining_nano, due.expires_at, 'expired unspent', $3::text from due join expired using (credit_block_id)`

/**
 * Books the end of blocks that expired before an instant and that no invoice can draw from any more; gives their number. An expired
 * block pays for nothing new whether this was called or not: see `balance` of {@link listCredits}.
 */
export async function expireCredits(
  db: Queryable,
  { at, by, organizationId }: { readonly at: Instant; readonly by: string; readonly organizationId?: string },
): Promise<number> {
  return (await db.query(EXPIRE, [sqlInstant(at), organizationId ?? null, by])).rowCount
}
