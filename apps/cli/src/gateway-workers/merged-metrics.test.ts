import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeters } from '@ascribe/service'
import { mergeMetrics } from './merged-metrics.ts'

test('mergeMetrics() never mixes the series of two workers, and says the help of a name once', () => {
  const [one, two] = [createMeters(), createMeters()]
  for (const meters of [one, two]) {
    meters.counter('requests_total', 'All of them.').add(meters === one ? 3 : 4)
    meters.counter('refused_total', 'By reason.').add(1, { reason: 'a { b} c' })
    meters.histogram('seconds', 'How long.', { buckets: [1] }).observe(0.5)
  }
  two.gauge('only_here', 'Of one alone.').set(7)
  assert.equal(
    mergeMetrics(
      new Map([
        ['0', one.render()],
        ['1', two.render()],
      ]),
    ),
    `# HELP requests_total All of them.
# TYPE requests_total counter
requests_total{worker="0"} 3
requests_total{worker="1"} 4
# HELP refused_total By reason.
# TYPE refused_total counter
refused_total{worker="0",reason="a { b} c"} 1
refused_total{worker="1",reason="a { b} c"} 1
# HELP seconds How long.
# TYPE seconds histogram
seconds_bucket{worker="0",le="1"} 1
seconds_bucket{worker="0",le="+Inf"} 1
seconds_sum{worker="0"} 0.5
seconds_count{worker="0"} 1
seconds_bucket{worker="1",le="1"} 1
seconds_bucket{worker="1",le="+Inf"} 1
seconds_sum{worker="1"} 0.5
seconds_count{worker="1"} 1
# HELP only_here Of one alone.
# TYPE only_here gauge
only_here{worker="1"} 7
`,
  )
})
