import type { Database } from '@ascribe/postgres'
import type { UsageRecord } from '@ascribe/usage'
import { readBackfillLine, readStatement, streamEvents } from '../src/index.ts'
import type { BackfillInput, EventRule, LedgerRecord } from '../src/index.ts'
import { MONTH } from './support.ts'

/** What stands in the way of emptying a ledger that had acts. */
export const ACTOR: { readonly actor: string; readonly reason: string } = { actor: 'ada', reason: 'ticket 7' }

/** 2026-03-20T00:00:00Z: after everything that tests record. */
export const NOW: number = Date.UTC(2026, 2, 20)

export const RULES: readonly EventRule[] = [
  {
    type: 'vm.usage',
    resourceType: 'vm',
    resourceId: '$.vm.id',
    model: 'small',
    subject: 'auth_id',
    meters: { input_tokens: { path: '$.cpu' }, output_tokens: { path: '$.disk', scale: 3, optional: true } },
  },
  { type: 'call', resourceId: 'calls', model: 'small', subject: 'user', meters: { input_tokens: { count: 1 } } },
]

export async function totalOf(db: Database, organizationId: string): Promise<string | undefined> {
  return (await readStatement(db, { organizationId, month: MONTH, scope: 'operator' }))?.total
}

export async function eventsOf(db: Database, filter: Parameters<typeof streamEvents>[1] = {}): Promise<readonly LedgerRecord[]> {
  return Array.fromAsync(streamEvents(db, filter))
}

/** Lines as a file of them would give. */
export async function* linesOf(texts: readonly string[]): BackfillInput['lines'] {
  for (const text of texts) {
    const line = readBackfillLine(text, { rules: RULES, now: NOW })
    if (line.kind === 'fault') throw new Error(`${line.reason}: ${text}`)
    yield line
  }
}

/** A line of the reference's event JSON. */
export function line(fields: Partial<UsageRecord> & Record<string, unknown>): string {
  return JSON.stringify({
    auth_id: 'auth-1',
    resource_id: 'default',
    model: 'small',
    prompt_tokens: 100,
    cached_tokens: 40,
    completion_tokens: 10,
    timestamp_unix_ms: Date.UTC(2026, 2, 1, 10),
    ...fields,
  })
}
