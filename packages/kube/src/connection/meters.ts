import type { Meters } from '@ascribe/kit'

export type RequestMeters = {
  /** Counts a request when the returned function is called with its status, or `<error>` as client-go has it. */
  begin(method: string): (code: string) => void
}

/** client-go's buckets of `rest_client_request_duration_seconds`. */
const BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]

/** `rest_client_*`, under the names that dashboards for controller-runtime know. */
export function createRequestMeters(meters: Meters, host: string): RequestMeters {
  const requests = meters.counter('rest_client_requests_total', 'Requests to the Kubernetes API by status code, method and host.')
  const seconds = meters.histogram('rest_client_request_duration_seconds', 'Time to the answer of the Kubernetes API by verb and host.', {
    buckets: BUCKETS,
  })
  return {
    begin(method) {
      const start = performance.now()
      return (code) => {
        requests.add(1, { code, method, host })
        seconds.observe((performance.now() - start) / 1000, { verb: method, host })
      }
    },
  }
}
