import type { Counter, Gauge, Meters } from '@ascribe/kit'

/** What the shipper counts. */
export type ShipperMeters = {
  readonly records: Counter
  /** Messages. */
  readonly resent: Counter
  readonly recovered: Counter
  readonly failures: Counter
  readonly uncommitted: Gauge
  readonly stuck: Gauge
}

export function createShipperMeters(meters: Meters): ShipperMeters {
  return {
    records: meters.counter('ascribe_shipper_records_total', 'Usage records that the broker has stored; those sent again count again.'),
    resent: meters.counter('ascribe_shipper_resent_messages_total', 'Messages that the broker lost and that were sent again.'),
    recovered: meters.counter('ascribe_shipper_recovered_intents_total', 'Intents of dead processes that were closed as unknown.'),
    failures: meters.counter('ascribe_shipper_failures_total', 'Passes that ended in an error of the broker and will be repeated.'),
    uncommitted: meters.gauge('ascribe_shipper_uncommitted_messages', 'Messages that the broker holds and the ledger does not have yet.'),
    stuck: meters.gauge('ascribe_shipper_stuck_journals', 'Journals that cannot be shipped now. The log has why.'),
  }
}
