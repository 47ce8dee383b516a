import type { Logger } from '@ascribe/kit'
import type { IngestSummary } from '@ascribe/ledger'
import type { SettlerMeters } from './settler-meters.ts'

/** Counts what became of a batch, and says so when something was set aside. */
export function noteIngested(
  result: IngestSummary,
  { writer, meters, logger }: { readonly writer: string; readonly meters: SettlerMeters; readonly logger: Logger },
): void {
  meters.records.add(result.inserted, { outcome: 'inserted' })
  if (result.duplicates > 0) meters.records.add(result.duplicates, { outcome: 'duplicate' })
  if (result.conflicting > 0) meters.records.add(result.conflicting, { outcome: 'conflicting' })
  if (result.quarantined > 0) meters.records.add(result.quarantined, { outcome: 'quarantined' })
  const setAside = result.conflicting + result.quarantined
  if (setAside > 0) logger.error('records were quarantined: `ascribe events quarantine` shows them', { writer, count: setAside })
}
