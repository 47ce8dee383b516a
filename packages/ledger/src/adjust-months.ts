import type { Database, Queryable } from '@ascribe/postgres'
import { monthAfter } from '@ascribe/rating'
import { adjustmentId, insertAdjustments } from './adjustments.ts'
import type { Adjustment } from './adjustments.ts'
import { causesOf } from './causes.ts'
import { lockMonth, lockRatingShared } from './locks.ts'
import { lineKey } from './month-lines.ts'
import type { MonthLine } from './month-lines.ts'
import { readClosedThrough } from './periods.ts'
import { readDatedBooks } from './price-versions.ts'
import type { BookShelf } from './price-versions.ts'
import { readMonthLines, readStoredLines } from './read-month-lines.ts'

type Options = {
  readonly books: BookShelf
  readonly withRetries: <Result>(work: () => Promise<Result>) => Promise<Result>
}

/** More rounds than there are months whose commitments another month can change. */
const ROUNDS_MAX = 1000

/**
 * Corrects the lines of closed months whose charges or quantities have changed, oldest first. Doing it again adds nothing. One transaction
 * a month, and one rater at a time for each.
 */
export async function adjustDirtyMonths(db: Database, { books, withRetries }: Options): Promise<void> {
  let last = ''
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    // A month can mark later ones, never itself or earlier ones.
    const { rows } = await db.query<{ month: string }>(
      `select to_char(min(month), 'YYYY-MM') as month from dirty_period where to_char(month, 'YYYY-MM') > $1::text having count(*) > 0`,
      [last],
    )
    const [row] = rows
    if (row === undefined) return
    await withRetries(() => db.transaction((tx) => adjustMonth(tx, row.month, books)))
    last = row.month
  }
}

async function adjustMonth(tx: Queryable, month: string, books: BookShelf): Promise<void> {
  await lockRatingShared(tx)
  await lockMonth(tx, month)
  // The marks first, as for hours: what they stand for was committed with them.
  const marks = await tx.query<MarkRow>('select mark, cause, organization_id from dirty_period where month = $1::date', [`${month}-01`])
  if (marks.rowCount === 0) return
  for (const [organizationId, own] of byOrganization(marks.rows)) {
    const cause = causesOf(own)
    const of = { month, books, cause, ...(organizationId !== null && { organizationId }) }
    await insertAdjustments(tx, await differences(tx, of))
    await markCommitments(tx, of)
  }
  await tx.query('delete from dirty_period where month = $1::date and mark = any($2::bigint[])', [
    `${month}-01`,
    marks.rows.map(({ mark }) => mark),
  ])
}

type MarkRow = { readonly mark: bigint; readonly cause: string; readonly organization_id: string | null }

/** In order of ids; null, which is everybody, alone and instead of all. */
function byOrganization(marks: readonly MarkRow[]): readonly (readonly [string | null, readonly MarkRow[]])[] {
  if (marks.some((mark) => mark.organization_id === null)) return [[null, marks]]
  const groups = Map.groupBy(marks, (mark) => mark.organization_id)
  return [...groups].toSorted(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
}

type Month = { readonly month: string; readonly books: BookShelf; readonly cause: string; readonly organizationId?: string }

async function differences(tx: Queryable, { cause, ...query }: Month): Promise<readonly Adjustment[]> {
  const { month } = query
  const stored = new Map((await readStoredLines(tx, query)).map((each) => [lineKey(each.line), each]))
  const wanted = new Map((await readMonthLines(tx, query)).map((line) => [lineKey(line), line]))
  return [...new Set([...stored.keys(), ...wanted.keys()])].toSorted().flatMap((key) => {
    const [before, now] = [stored.get(key), wanted.get(key)]
    const line = now ?? before?.line
    const quantity = (now?.quantity ?? 0n) - (before?.line.quantity ?? 0n)
    const amount = (now?.amount ?? 0n) - (before?.line.amount ?? 0n)
    if (line === undefined || (quantity === 0n && amount === 0n)) return []
    return [adjustmentOf(line, { id: adjustmentId([month, key, String(before?.adjusted ?? 0n)]), month, quantity, amount, cause })]
  })
}

function adjustmentOf(line: MonthLine, of: Pick<Adjustment, 'id' | 'month' | 'quantity' | 'amount' | 'cause'>): Adjustment {
  return { ...line, hour: null, authId: '', userId: null, groupId: null, resourceId: '', recordCount: 0n, digest: 0n, ...of }
}

/** Marks closed months in which a commitment is due that counts this one. */
async function markCommitments(tx: Queryable, { month, books, cause, organizationId: of }: Month): Promise<void> {
  const through = (await readClosedThrough(tx)) ?? ''
  const due = new Map<string, readonly string[]>()
  for (const version of await readDatedBooks(tx)) {
    for (const { from = '', to = '', organizationId = '' } of (await books.bookOf(tx, version)).commitments) {
      if (of !== undefined && of !== organizationId) continue
      if (from <= month && monthAfter(month) < to && to <= monthAfter(through)) due.set(`${to} ${organizationId}`, [to, organizationId])
    }
  }
  for (const [to, organizationId] of due.values()) {
    // A commitment of somebody who is not in this ledger makes no line.
    await tx.query(
      `insert into dirty_period (month, cause, organization_id)
       select ($1::date - interval '1 month')::date, $2::text, organization_id from organization where organization_id = $3::uuid`,
      [`${to}-01`, cause, organizationId],
    )
  }
}
