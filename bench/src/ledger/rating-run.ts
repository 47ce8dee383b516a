import { markRatedHours, rateDirtyHours, readStatement } from '@ascribe/ledger'
import type { Organization } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { MONTH, MONTH_START, authIdsOf } from './synthetic-records.ts'

const HOUR_MS = 3_600_000

export type RatingRun = { readonly hours: number; readonly seconds: number }

/** Rates all that is dirty. */
export async function runRating(db: Database): Promise<RatingRun> {
  const started = performance.now()
  let hours = 0
  for (;;) {
    const summary = await rateDirtyHours(db)
    hours += summary.hours
    if (!summary.more) return { hours, seconds: (performance.now() - started) / 1000 }
  }
}

/** Rates the first hours of the month again. */
export async function rerate(db: Database, hours: number): Promise<RatingRun> {
  await markRatedHours(db, { start: MONTH_START, end: MONTH_START + hours * HOUR_MS })
  return runRating(db)
}

export type QueryRun = { readonly p50Ms: number; readonly p99Ms: number; readonly queries: number }

/** The statement of a month, of one organization after the other. */
export async function runQueries(db: Database, organizations: readonly Organization[], rounds: number): Promise<QueryRun> {
  const took: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const { id } of organizations) {
      const started = performance.now()
      await readStatement(db, { organizationId: id, month: MONTH, scope: 'customer' })
      took.push(performance.now() - started)
    }
  }
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99), queries: took.length }
}

/** Organizations whose statement does not have exactly the quantities of their records. */
export async function compareWithRecords(db: Database, organizations: readonly Organization[]): Promise<readonly string[]> {
  const { rows } = await db.query<Record<string, string>>(
    `select auth_id, sum(input_tokens)::text as input_tokens, coalesce(sum(cached_input_tokens), 0)::text as cached_input_tokens,
       sum(output_tokens)::text as output_tokens
     from usage_record group by auth_id`,
  )
  const counted = new Map(rows.map((row) => [row['auth_id'] ?? '', row]))
  const wrong: string[] = []
  for (const [number, { id, name }] of organizations.entries()) {
    const statement = await readStatement(db, { organizationId: id, month: MONTH, scope: 'customer' })
    for (const meter of ['input_tokens', 'cached_input_tokens', 'output_tokens']) {
      const expected = authIdsOf(number).reduce((sum, authId) => sum + BigInt(counted.get(authId)?.[meter] ?? '0'), 0n)
      const stated = (statement?.lines ?? [])
        .filter((line) => line.meter === meter)
        .reduce((sum, { quantity }) => sum + BigInt(quantity), 0n)
      if (expected !== stated) wrong.push(`${name}: ${meter} is ${stated} on the statement and ${expected} in the records`)
    }
  }
  return wrong
}
