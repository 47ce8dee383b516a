import type { Counter, Gauge, Meters } from '@ascribe/kit'
import type { FailureKind, Refusal } from './types.ts'

/** The relay's counters. All are off the common path: what goes well is counted by those who know what it was. */
export class RelayTally {
  readonly connections: Gauge
  readonly #connectionsDropped: Counter
  readonly #refusals: Counter
  readonly #failures: Counter
  readonly #clientsGone: Counter
  readonly #clientsStalled: Counter
  readonly #barriersRejected: Counter
  readonly #faults: Counter

  constructor(meters: Meters) {
    this.connections = meters.gauge('relay_connections', 'Connections of clients that are open.')
    this.#connectionsDropped = meters.counter('relay_connections_dropped_total', 'Connections reset at once: far too many were open.')
    this.#refusals = meters.counter('relay_refusals_total', 'Requests refused before anybody saw them, by reason.')
    this.#failures = meters.counter('relay_failures_total', 'Admitted requests that failed, by kind.')
    this.#clientsGone = meters.counter('relay_clients_gone_total', 'Clients that left before their reply had ended.')
    this.#clientsStalled = meters.counter('relay_clients_stalled_total', 'Clients reset because they took nothing of their reply.')
    this.#barriersRejected = meters.counter('relay_barriers_rejected_total', 'Replies reset because what they waited for failed.')
    this.#faults = meters.counter(
      'relay_faults_total',
      'Requests broken off because of a bug in their handling. Anything above zero is one.',
    )
  }

  connectionDropped(): void {
    this.#connectionsDropped.add()
  }

  refused(refusal: Refusal): void {
    this.#refusals.add(1, { refusal })
  }

  failed(kind: FailureKind): void {
    this.#failures.add(1, { kind })
  }

  clientGone(): void {
    this.#clientsGone.add()
  }

  clientStalled(): void {
    this.#clientsStalled.add()
  }

  barrierRejected(): void {
    this.#barriersRejected.add()
  }

  fault(): void {
    this.#faults.add()
  }
}
