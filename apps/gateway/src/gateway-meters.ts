import type { Counter, Histogram, Labels, Meters } from '@ascribe/kit'
import type { Outcome, Provenance } from '@ascribe/usage'

/** What the gateway counts. One place, so that names and help texts are said once. */
export type GatewayMeters = {
  /** By `reason`. */
  readonly refused: Counter
  readonly strippedHeaders: Counter
  /** By `outcome` and `provenance`. */
  readonly records: Counter
  readonly firstByte: Histogram
  /** By `result`. */
  readonly tokenized: Counter
}

export function createGatewayMeters(meters: Meters): GatewayMeters {
  return {
    refused: meters.counter('ascribe_gateway_refused_total', 'Requests that were refused before any upstream work, by reason.'),
    strippedHeaders: meters.counter(
      'ascribe_gateway_stripped_identity_headers_total',
      'Identity headers dropped because their peer is not trusted.',
    ),
    tokenized: meters.counter(
      'ascribe_gateway_tokenized_total',
      "Streams without usage whose text the engine's tokenizer was asked about, by result.",
    ),
    records: meters.counter('ascribe_gateway_usage_records_total', 'Usage records settled, by outcome and provenance.'),
    firstByte: meters.histogram('ascribe_gateway_first_byte_seconds', "From admission to the first byte of the upstream's reply.", {
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    }),
  }
}

const labelsOfRecords = new Map<Outcome, Map<Provenance, Labels>>()

/** The labels of a settled record: one frozen object for each pair, by which meters find a series without reading its labels. */
export function recordLabels(outcome: Outcome, provenance: Provenance): Labels {
  let ofOutcome = labelsOfRecords.get(outcome)
  if (ofOutcome === undefined) labelsOfRecords.set(outcome, (ofOutcome = new Map()))
  let labels = ofOutcome.get(provenance)
  if (labels === undefined) ofOutcome.set(provenance, (labels = Object.freeze({ outcome, provenance })))
  return labels
}
