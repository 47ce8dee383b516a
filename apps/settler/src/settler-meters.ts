import type { Counter, Gauge, Meters } from '@ascribe/kit'

/** What the settler counts. */
export type SettlerMeters = {
  /** By `outcome`: inserted, duplicate, conflicting, quarantined. */
  readonly records: Counter
  readonly failures: Counter
  readonly recovered: Counter
  readonly hoursRated: Counter
  /** By `outcome`: delivered, failed (and tried again), given_up. */
  readonly alerts: Counter
  /** Journals that cannot be shipped. */
  readonly stuck: Gauge
  readonly lastPass: Gauge
}

export function createSettlerMeters(meters: Meters): SettlerMeters {
  return {
    records: meters.counter('ascribe_settler_records_total', 'Usage records shipped to the ledger, by what became of them.'),
    failures: meters.counter('ascribe_settler_failures_total', 'Passes that ended in an error and will be repeated.'),
    recovered: meters.counter('ascribe_settler_recovered_intents_total', 'Intents of dead processes that were closed as unknown.'),
    hoursRated: meters.counter('ascribe_settler_hours_rated_total', 'Hours whose charges were derived.'),
    alerts: meters.counter('ascribe_settler_alerts_total', 'Attempts to tell a webhook of a budget, by what became of them.'),
    stuck: meters.gauge(
      'ascribe_settler_stuck_journals',
      'Journals that cannot be shipped now: damaged, or not to be read. The log has why.',
    ),
    lastPass: meters.gauge('ascribe_settler_last_pass_timestamp_seconds', 'When the journals were last found empty or drained.'),
  }
}
