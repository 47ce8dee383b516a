import type { Queryable } from '@ascribe/postgres'
import type { Instant, Nano } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import { creditExcess } from './credit-excess.ts'
import type { BilledMonth } from './credit-excess.ts'
import type { Draw } from './draw-plan.ts'
import { CreditConflictError } from './errors.ts'

// Usage by the month on whose invoice it stands, and by the month in which it was used. Kinds as in payableByCredits(). All there is of the
// organization, which costs as much as its charges are many: asked only where corrections exceed the usage of a month.
const BILLED = `
select to_char(booked, 'YYYY-MM') as month, to_char(used, 'YYYY-MM') as used, sum(amount) as amount from (
  select utc_month(hour) as booked, utc_month(hour) as used, amount_nano as amount from charge
  where organization_id = $1::uuid and hour < ($2::date + interval '1 month') at time zone 'UTC'
  union all
  select month, month, amount_nano from statement_line
  where organization_id = $1::uuid and month <= $2::date and kind not in ('minimum', 'commitment')
  union all
  select booked_month, month, amount_nano from adjustment
  where organization_id = $1::uuid and booked_month <= $2::date and meter <> ''
) usage group by booked, used order by booked, used`

const PAID = `
select to_char(i.month, 'YYYY-MM') as month, coalesce(-sum(e.amount_nano) filter (where e.kind = 'draw'), 0) as drawn,
  coalesce(sum(e.amount_nano) filter (where e.kind = 'return'), 0) as returned
from invoice i join credit_entry e using (invoice_id)
where i.organization_id = $1::uuid and i.month < $2::date and i.state in ('issued', 'paid')
group by i.month`

// What invoices drew of a block and is not back yet; first of blocks that the invoices of `$2` drew, in the opposite order of drawing.
const BLOCKS = `
select credit_block_id, kind, note, expires_at, least(amount_nano - remaining_nano, drawn) as drawn
from credit_block b cross join lateral (
  select coalesce(-sum(e.amount_nano), 0) as drawn, coalesce(bool_or(e.kind = 'draw' and to_char(i.month, 'YYYY-MM') = any($2::text[])), false) as concerned
  from credit_entry e join invoice i using (invoice_id)
  where e.credit_block_id = b.credit_block_id and e.kind in ('draw', 'return') and i.state in ('issued', 'paid')
) d
where organization_id = $1::uuid and drawn > 0
order by concerned desc, expires_at desc nulls first, priority desc, created_at desc, credit_block_id desc`

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
 * paid for what was taken back it goes back to them, see {@link creditExcess}, so that given credits never become money; the rest is owed to
 * the customer. What has expired meanwhile expires again.
 */
export async function planCreditReturns(
  tx: Queryable,
  { organizationId, month, payable }: { readonly organizationId: string; readonly month: string; readonly payable: Nano },
  { lock }: { readonly lock: boolean },
): Promise<readonly PlannedReturn[]> {
  if (lock) await tx.query(LOCK, [organizationId])
  const excess = creditExcess(await readBilled(tx, { organizationId, month }))
  const total = excess.reduce((sum, { amount }) => sum + amount, 0n)
  let left = total < 0n - payable ? total : 0n - payable
  if (left <= 0n) return []
  const { rows } = await tx.query<BlockRow>(BLOCKS, [organizationId, excess.map((each) => each.month)])
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

async function readBilled(
  tx: Queryable,
  { organizationId, month: last }: { readonly organizationId: string; readonly month: string },
): Promise<readonly BilledMonth[]> {
  const values = [organizationId, `${last}-01`]
  const { rows: usage } = await tx.query<{ month: string; used: string; amount: string }>(BILLED, values)
  const { rows: payments } = await tx.query<{ month: string; drawn: string; returned: string }>(PAID, values)
  const paid = new Map(payments.map((row) => [row.month, row]))
  return [...new Set([...usage.map(({ month }) => month), ...paid.keys(), last])].toSorted().map((month) => {
    const own = usage.filter((row) => row.month === month)
    return {
      month,
      own: BigInt(own.find(({ used }) => used === month)?.amount ?? '0'),
      corrections: new Map(own.filter(({ used }) => used !== month).map(({ used, amount }) => [used, BigInt(amount)])),
      drawn: BigInt(paid.get(month)?.drawn ?? '0'),
      returned: BigInt(paid.get(month)?.returned ?? '0'),
    }
  })
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
