import { createIdSource } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'

/** A month that is over, so that nothing of it depends on when this runs. */
export const MONTH = '2026-09'
export const MONTH_START: number = Date.UTC(2026, 8, 1)
export const MONTH_HOURS = 720
const HOUR_MS = 3_600_000

export const ORGANIZATIONS = 100
const KEYS_EACH = 3
export const MODELS: readonly string[] = ['bench-small', 'bench-medium', 'bench-large', 'bench-embed']

/** The auth ids of an organization, by its number from 0. */
export function authIdsOf(organization: number): readonly string[] {
  return Array.from({ length: KEYS_EACH }, (_, key) => `key_${String(organization).padStart(3, '0')}_${key}`)
}

const AUTH_IDS: readonly string[] = Array.from({ length: ORGANIZATIONS }, (_, organization) => authIdsOf(organization)).flat()

/** Makes records one after the other, spread evenly over a part of the month, in order of time as gateways write them. */
export type RecordSource = { next(): UsageRecord }

/** `count` records over `hours` hours from the beginning of the month on. The same numbers each time but for the ids. */
export function recordSource({
  count,
  hours = MONTH_HOURS,
  startHour = 0,
}: {
  readonly count: number
  readonly hours?: number
  readonly startHour?: number
}): RecordSource {
  const spanMs = hours * HOUR_MS
  let index = 0
  let at = 0
  const nextId = createIdSource(() => at)
  return {
    next() {
      at = MONTH_START + startHour * HOUR_MS + Math.floor((index % count) * (spanMs / count))
      index += 1
      return recordAt(index, at, nextId())
    },
  }
}

/** Small primes, so that organizations, models and sizes do not go in step. */
function recordAt(index: number, at: number, eventId: string): UsageRecord {
  const prompt = 40 + ((index * 7919) % 2000)
  const cached = index % 3 === 0 ? prompt >> 1 : 0
  const completion = 10 + ((index * 104_729) % 700)
  const model = MODELS[(index * 31) % MODELS.length] ?? ''
  return {
    eventId,
    startedAt: at,
    requestId: eventId,
    authId: AUTH_IDS[(index * 13) % AUTH_IDS.length] ?? '',
    userId: `user-${(index * 17) % 2000}`,
    groupId: `group-${(index * 17) % 50}`,
    resourceId: 'deployment-4711',
    resourceType: 'deployment',
    identifiedBy: 'key',
    route: 'default',
    api: 'chat',
    modelAsked: model,
    streamed: index % 2 === 0,
    endedAt: at + 1500,
    outcome: 'completed',
    provenance: 'reported',
    status: 200,
    model,
    finishReason: 'stop',
    promptTokens: prompt,
    cachedTokens: cached,
    completionTokens: completion,
    meters: { input_tokens: prompt - cached, ...(cached > 0 && { cached_input_tokens: cached }), output_tokens: completion },
    firstByteMs: 41.5,
  }
}
