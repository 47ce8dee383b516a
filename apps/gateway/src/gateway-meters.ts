import type { Counter, Histogram, Meters } from '@ascribe/kit'

/** What the gateway counts. One place, so that names and help texts are said once. */
export type GatewayMeters = {
  /** By `reason`. */
  readonly refused: Counter
  readonly strippedHeaders: Counter
  /** By `outcome` and `provenance`. */
  readonly records: Counter
  readonly firstByte: Histogram
}

export function createGatewayMeters(meters: Meters): GatewayMeters {
  return {
    refused: meters.counter('ascribe_gateway_refused_total', 'Requests that were refused before any upstream work, by reason.'),
    strippedHeaders: meters.counter(
      'ascribe_gateway_stripped_identity_headers_total',
      'Identity headers dropped because their peer is not trusted.',
    ),
    records: meters.counter('ascribe_gateway_usage_records_total', 'Usage records settled, by outcome and provenance.'),
    firstByte: meters.histogram('ascribe_gateway_first_byte_seconds', "From admission to the first byte of the upstream's reply.", {
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    }),
  }
}
