import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMeters } from './meters.ts'
import { measureProcess } from './process-meters.ts'
import { parsePrometheusText } from '../test/prometheus-text.ts'

test('render() writes counters, gauges and histograms in the Prometheus text format', () => {
  const meters = createMeters()
  const requests = meters.counter('requests_total', 'Requests.\nBy route \\ status.')
  requests.add()
  requests.add(2, { status: '200', route: 'chat' })
  requests.add(1, { route: 'chat', status: '200' })
  meters.gauge('open_streams', 'Open streams.').set(-1.5)
  const latency = meters.histogram('latency_seconds', 'Latency.', { buckets: [0.1, 1] })
  for (const value of [0.1, 0.5, 7]) latency.observe(value, { route: 'chat' })
  assert.equal(
    meters.render(),
    [
      '# HELP requests_total Requests.\\nBy route \\\\ status.',
      '# TYPE requests_total counter',
      'requests_total 1',
      'requests_total{route="chat",status="200"} 3',
      '# HELP open_streams Open streams.',
      '# TYPE open_streams gauge',
      'open_streams -1.5',
      '# HELP latency_seconds Latency.',
      '# TYPE latency_seconds histogram',
      'latency_seconds_bucket{route="chat",le="0.1"} 1',
      'latency_seconds_bucket{route="chat",le="1"} 2',
      'latency_seconds_bucket{route="chat",le="+Inf"} 3',
      'latency_seconds_sum{route="chat"} 7.6',
      'latency_seconds_count{route="chat"} 3',
      '',
    ].join('\n'),
  )
})

test('labels that are frozen count in the same series as any others', () => {
  const meters = createMeters()
  const requests = meters.counter('requests_total', 'Requests.')
  const frozen = Object.freeze({ route: 'chat' })
  for (const labels of [frozen, { route: 'chat' }, frozen]) requests.add(1, labels)
  const changing = { route: 'chat' }
  requests.add(1, changing)
  changing.route = 'other'
  requests.add(1, changing)
  assert.match(meters.render(), /route="chat"} 4\nrequests_total{route="other"} 1\n/)
})

test('render() stays within the grammar and gives back every label value, whatever the labels hold', () => {
  const anyText = fc.string({ unit: 'binary', maxLength: 20 })
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(anyText, anyText), { maxLength: 20, selector: (pair) => JSON.stringify(pair) }), (pairs) => {
      const meters = createMeters()
      const counter = meters.counter('x_total', 'X.')
      pairs.forEach(([a, b], index) => counter.add(index + 1, { a, b }))
      const samples = parsePrometheusText(meters.render())
      assert.deepEqual(
        samples.map(({ labels, value }) => [labels['a'], labels['b'], value]),
        pairs.map(([a, b], index) => [a, b, index + 1]),
      )
    }),
    { numRuns: 200 },
  )
})

test('counter() counts what is beyond seriesMax in one overflow series', () => {
  const meters = createMeters({ seriesMax: 10 })
  const counter = meters.counter('x_total', 'X.')
  for (let index = 0; index < 1000; index += 1) counter.add(1, { model: `m${index}` })
  counter.add(5, { model: 'm3' })
  const samples = parsePrometheusText(meters.render())
  assert.equal(samples.length, 11)
  assert.deepEqual(samples.at(-1), { name: 'x_total', labels: { model: 'overflow' }, value: 990 })
  assert.equal(samples[3]?.value, 6)
})

test('counter() gives the same instrument for the same name and refuses another kind', () => {
  const meters = createMeters()
  meters.counter('x_total', 'X.').add()
  meters.counter('x_total', 'X.').add()
  assert.match(meters.render(), /^x_total 2$/m)
  assert.throws(() => meters.gauge('x_total', 'X.'), /is a counter/)
})

test('createMeters() refuses what Prometheus would: bad names, falling buckets, counters that go down', () => {
  const meters = createMeters()
  assert.throws(() => meters.counter('x-total', 'X.'))
  assert.throws(() => meters.counter('x_total', 'X.').add(-1))
  assert.throws(() => meters.counter('x_total', 'X.').add(1, { 'a-b': 'x' }))
  assert.throws(() => meters.histogram('h', 'H.', { buckets: [1, 1] }))
  assert.throws(() => meters.histogram('h', 'H.', { buckets: [1] }).observe(1, { le: 'x' }))
})

test('measureProcess() tells memory, CPU, loop lag and garbage collection', () => {
  const meters = createMeters()
  using _ = measureProcess(meters)
  const samples = new Map(parsePrometheusText(meters.render()).map(({ name, value }) => [name, value]))
  assert((samples.get('process_resident_memory_bytes') ?? 0) > 10_000_000)
  assert((samples.get('process_cpu_seconds_total') ?? 0) > 0)
  assert((samples.get('process_start_time_seconds') ?? 0) > 1e9)
  assert((samples.get('nodejs_eventloop_lag_p99_seconds') ?? -1) >= 0)
  const again = new Map(parsePrometheusText(meters.render()).map(({ name, value }) => [name, value]))
  assert((again.get('process_cpu_seconds_total') ?? 0) >= (samples.get('process_cpu_seconds_total') ?? 0))
})
