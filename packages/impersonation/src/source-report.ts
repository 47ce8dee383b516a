import type { SourceParts } from './source-parts.ts'
import type { TokenReport, TokenSourceReport } from './token-source-types.ts'

/** What is under way; known to the source alone. */
export type UnderWay = { readonly flights: number; readonly waiters: number }

/** A token that nobody has used for so long says nothing about whether renewal works. */
const RECENT_MS = 60_000

/** Everything that may be shown: per owner mints, refusals and back-off, with the tokens in hand by their place and end. */
export function reportOf({ cache, calls, clock, owners }: SourceParts, { flights, waiters }: UnderWay): TokenSourceReport {
  const now = clock.monotonicMs()
  const tokens = new Map<string, TokenReport[]>()
  for (const { held, ownerUuid, region, bindingGeneration } of cache.entries()) {
    if (held === undefined) continue
    const { generation } = held.token
    const report = { region, bindingGeneration, generation, secondsToExpiry: Math.floor((held.endsAt - now) / 1000) }
    const known = tokens.get(ownerUuid)
    if (known === undefined) tokens.set(ownerUuid, [report])
    else known.push(report)
  }
  return {
    entries: cache.size,
    sizeBytes: cache.sizeBytes,
    flights,
    waiters,
    breakers: calls.breakers(),
    owners: owners.report().map((report) => ({ ...report, tokens: tokens.get(report.ownerUuid) ?? [] })),
  }
}

/** Sets the gauges that are read rather than counted. */
export function setGauges({ cache, clock, instruments }: SourceParts, { flights, waiters }: UnderWay): void {
  const now = clock.monotonicMs()
  let leastMs = NaN
  for (const { held, usedAt } of cache.entries()) {
    if (held === undefined || usedAt + RECENT_MS < now) continue
    const leftMs = Math.max(0, held.endsAt - now)
    if (!(leftMs >= leastMs)) leastMs = leftMs
  }
  instruments.secondsToExpiry.set(leastMs / 1000)
  instruments.entries.set(cache.size)
  instruments.sizeBytes.set(cache.sizeBytes)
  instruments.refreshInflight.set(flights)
  instruments.waiters.set(waiters)
}
