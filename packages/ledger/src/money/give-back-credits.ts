import type { Queryable } from '@ascribe/postgres'
import type { Instant, Nano } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import type { Draw } from './draw-plan.ts'
import { CreditConflictError } from './errors.ts'

// Usage of months that corrections in `$2` change: what credits paid on their invoices, and what it comes to now. Kinds as in payableByCredits().
const EXCESS = `
with corrected as (
  select distinct month from adjustment where organization_id = $1::uuid and booked_month = $2::date and meter <> ''
), months as (
  select c.month, i.invoice_id,
    (select coalesce(-sum(amount_nano), 0) from credit_entry e where e.invoice_id = i.invoice_id and e.kind = 'draw') as drawn,
    (select coalesce(sum(amount_nano), 0) from charge h
     where h.organization_id = $1::uuid and h.hour >= c.month::timestamp at time zone 'UTC'
       and h.hour < (c.month + interval '1 month') at time zone 'UTC')
    + (select coalesce(sum(amount_nano), 0) from statement_line l
       where l.organization_id = $1::uuid and l.month = c.month and l.kind not in ('minimum', 'commitment'))
    + (select coalesce(sum(amount_nano), 0) from adjustment a
       where a.organization_id = $1::uuid and a.month = c.month and a.booked_month <= $2::date and a.meter <> '') as owed
  from corrected c
  join invoice i on i.organization_id = $1::uuid and i.month = c.month and i.state in ('issued', 'paid')
), given as (
  select coalesce(sum(e.amount_nano), 0) as amount from credit_entry e join invoice i using (invoice_id)
  where e.kind = 'return' and i.organization_id = $1::uuid and i.state in ('issued', 'paid') and i.month in (
    select a.booked_month from adjustment a join corrected c using (month) where a.organization_id = $1::uuid and a.meter <> '')
)
select coalesce(sum(greatest(drawn - greatest(owed, 0), 0)), 0) - (select amount from given) as excess,
  coalesce(array_agg(invoice_id), '{}')::text[] as invoices
from months`

// What of a block those invoices drew, and is not back yet. In the opposite order of drawing.
const BLOCKS = `
select credit_block_id, kind, note, expires_at,
  least(amount_nano - remaining_nano, (
    select coalesce(-sum(e.amount_nano), 0) from credit_entry e
    where e.credit_block_id = b.credit_block_id and e.kind = 'draw' and e.invoice_id = any($2::uuid[]))) as drawn
from credit_block b
where organization_id = $1::uuid
order by expires_at desc nulls first, priority desc, created_at desc, credit_block_id desc`

// As locked for drawing: in the order of drawing.
const LOCK = `
select from credit_block where organization_id = $1::uuid order by expires_at nulls last, priority, created_at, credit_block_id for update`

type BlockRow = {
  readonly credit_block_id: string
  readonly kind: string
  readonly note: string
  readonly expires_at: number | null
  readonly drawn: string
}

/** What goes back to a block, as a draw below zero. */
export type PlannedReturn = Draw & { readonly kind: string; readonly note: string; readonly expiresAt: Instant | undefined }

/**
 * What an invoice gives back whose usage comes to `payable`, which is negative: corrections take back more than was used. As far as credits
 * paid for the corrected months, and more than their usage comes to now, it goes back to them, so that given credits never become money;
 * the rest is owed to the customer. What has expired meanwhile expires again.
 */
export async function planCreditReturns(
  tx: Queryable,
  { organizationId, month, payable }: { readonly organizationId: string; readonly month: string; readonly payable: Nano },
  { lock }: { readonly lock: boolean },
): Promise<readonly PlannedReturn[]> {
  if (lock) await tx.query(LOCK, [organizationId])
  const { rows: found } = await tx.query<{ excess: string; invoices: readonly string[] }>(EXCESS, [organizationId, `${month}-01`])
  const excess = BigInt(found[0]?.excess ?? '0')
  let left = excess < 0n - payable ? excess : 0n - payable
  if (left <= 0n) return []
  const { rows } = await tx.query<BlockRow>(BLOCKS, [organizationId, found[0]?.invoices ?? []])
  const returns: PlannedReturn[] = []
  for (const row of rows) {
    const drawn = BigInt(row.drawn)
    const amount = drawn < left ? drawn : left
    left -= amount
    const { credit_block_id: blockId, kind, note } = row
    if (amount > 0n) returns.push({ blockId, amount: 0n - amount, kind, note, expiresAt: row.expires_at ?? undefined })
  }
  return returns
}

// A block that is void keeps nothing: what comes back is voided again.
const GIVE = `
with given as (
  update credit_block set remaining_nano = remaining_nano + case when voided_at is null then $2::numeric else 0 end
  where credit_block_id = $1::uuid
  returning credit_block_id, voided_at
)
insert into credit_entry (credit_block_id, kind, amount_nano, at, invoice_id, reason, created_by)
select credit_block_id, 'return', $2::numeric, $3::timestamptz, $4::uuid, 'what it paid for was corrected', $5::text from given
union all
select credit_block_id, 'void', -$2::numeric, $3::timestamptz, null, 'the block is void', $5::text from given where voided_at is not null`

type Why = { readonly invoiceId: string; readonly at: Instant; readonly by: string }

/** Gives back to one block for an invoice. The amount is positive. */
export async function giveBackCredit(tx: Queryable, { blockId, amount, invoiceId, at, by }: Draw & Why): Promise<void> {
  await tx.query(GIVE, [blockId, amount, sqlInstant(at), invoiceId, by])
}

const TAKE = `
with given as (
  select e.credit_block_id, e.amount_nano as amount, b.remaining_nano from credit_entry e join credit_block b using (credit_block_id)
  where e.invoice_id = $1::uuid and e.kind = 'return' and b.voided_at is null
), taken as (
  update credit_block b set remaining_nano = b.remaining_nano - given.amount from given
  where b.credit_block_id = given.credit_block_id and b.remaining_nano >= given.amount
  returning b.credit_block_id, given.amount
), booked as (
  insert into credit_entry (credit_block_id, kind, amount_nano, at, invoice_id, reason, created_by)
  select credit_block_id, 'draw', -amount, $2::timestamptz, $1::uuid, $3::text, $4::text from taken
)
select (select count(*) from given) - (select count(*) from taken) as missing`

/** Takes back what an invoice that becomes void has given. @throws {CreditConflictError} when it has been spent, or has expired */
export async function takeGivenCredits(tx: Queryable, { invoiceId, at, reason, by }: Why & { readonly reason: string }): Promise<void> {
  const { rows } = await tx.query<{ missing: bigint }>(TAKE, [invoiceId, sqlInstant(at), reason, by])
  if ((rows[0]?.missing ?? 0n) > 0n)
    throw new CreditConflictError('Cannot make the invoice void: the credits that it gave back have been spent, or have expired')
}
