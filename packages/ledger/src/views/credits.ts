import type { Database, Queryable } from '@ascribe/postgres'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { listCreditEntries, listCredits } from '../money/credits.ts'
import type { CreditBlock, CreditEntry } from '../money/credits.ts'
import { monthOfInstant } from '../periods.ts'
import { readCosts } from './costs.ts'
import { WINDOW_DAYS_MAX, dayText, parseDay } from './day-window.ts'

const DAY_MS = 86_400_000
/** Full days over which spending is averaged. */
const AVERAGED_DAYS = 30

/** How fast credits go, as far as it can be known: invoices draw them after a month is closed, so what is used since is not drawn yet. */
export type BurnDown = {
  /** Of all blocks that are in force. */
  readonly balance: Nano
  /** What months without an issued invoice come to: credits will pay of it what they can. */
  readonly notInvoiced: Nano
  /** Balance less that; never below 0. */
  readonly left: Nano
  /** Of the 30 full days before today; rounded down. */
  readonly dailyAverage: Nano
  /** UTC day on which nothing is left at that rate, expiry of blocks not counted; absent: never, or in more than ten years. */
  readonly emptyOn?: string
}

export type CreditsView = {
  readonly currency: Currency
  /** In the order in which they are drawn; void and spent ones too. */
  readonly blocks: readonly CreditBlock[]
  /** Everything that ever changed a balance, in order. */
  readonly entries: readonly CreditEntry[]
  readonly burnDown: BurnDown
}

const DAYS_AHEAD_MAX = 3653

/** Reads an organization's credits, and when they will be used up at the present rate. */
export async function readCreditsView(
  db: Database,
  { organizationId, currency, now }: { readonly organizationId: string; readonly currency: Currency; readonly now: Instant },
): Promise<CreditsView> {
  const blocks = await listCredits(db, { organizationId, at: now })
  const entries = await listCreditEntries(db, { organizationId })
  const balance = blocks.reduce((sum, block) => sum + block.balance, 0n)
  if (blocks.length === 0) return { currency, blocks, entries, burnDown: { balance, notInvoiced: 0n, left: 0n, dailyAverage: 0n } }
  const today = Math.floor(now / DAY_MS) * DAY_MS
  const average = await spent(db, { organizationId, now, from: dayText(today - AVERAGED_DAYS * DAY_MS), to: dayText(today - DAY_MS) })
  const since = await firstNotInvoiced(db, organizationId)
  const from = since === undefined ? undefined : Math.max(parseDay(`${since}-01`) ?? today, today - (WINDOW_DAYS_MAX - 1) * DAY_MS)
  const notInvoiced =
    from === undefined || from > today ? 0n : await spent(db, { organizationId, now, from: dayText(from), to: dayText(today) })
  return { currency, blocks, entries, burnDown: burnDownOf({ balance, notInvoiced, average, today }) }
}

/** Decides the date. */
export function burnDownOf({
  balance,
  notInvoiced,
  average,
  today,
}: {
  readonly balance: Nano
  readonly notInvoiced: Nano
  /** Of the days that are averaged, together. */
  readonly average: Nano
  readonly today: Instant
}): BurnDown {
  const left = balance > notInvoiced ? balance - notInvoiced : 0n
  // Rounded down: the truth lies within 10^-9 of it.
  const dailyAverage = average / BigInt(AVERAGED_DAYS)
  const days = dailyAverage > 0n ? left / dailyAverage : undefined
  const isKnown = days !== undefined && days <= BigInt(DAYS_AHEAD_MAX)
  return {
    balance,
    notInvoiced,
    left,
    dailyAverage,
    ...(isKnown && { emptyOn: dayText(today + Number(days) * DAY_MS) }),
  }
}

type Spent = { readonly organizationId: string; readonly now: Instant; readonly from: string; readonly to: string }

async function spent(db: Database, { organizationId, now, from, to }: Spent): Promise<Nano> {
  const costs = await readCosts(db, {
    organizationIds: [organizationId],
    window: { from, to },
    grain: 'total',
    by: [],
    filter: {},
    now,
    limit: 1,
  })
  return costs.totals.reduce((sum, { amount }) => sum + amount, 0n)
}

/** The first month without an issued invoice, of those with charges; `undefined`: it has none. */
async function firstNotInvoiced(db: Queryable, organizationId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ hour: number | null; month: string | null }>(
    `select (select min(hour) from charge where organization_id = $1::uuid) as hour,
       (select to_char(max(month) + interval '1 month', 'YYYY-MM') from invoice where organization_id = $1::uuid and state in ('issued', 'paid')) as month`,
    [organizationId],
  )
  const [row] = rows
  return row?.month ?? (row?.hour === null || row?.hour === undefined ? undefined : monthOfInstant(row.hour))
}
