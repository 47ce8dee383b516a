import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOptions } from './options.ts'

test('parseOptions() takes everything by default, in the order of the report', () => {
  const options = parseOptions([])
  assert.deepEqual(options, { sections: ['json', 'sse', 'latency', 'journal', 'bodies', 'soak'], quick: false, soakSeconds: 15 })
})

test('parseOptions() understands a choice of sections and a length of the soak', () => {
  const options = parseOptions(['--only', 'soak,json', '--quick', '--soak', '10m'])
  assert.deepEqual(options, { sections: ['json', 'soak'], quick: true, soakSeconds: 600 })
})

test('parseOptions() refuses an unknown section and a length without a unit, in words', () => {
  assert.throws(() => parseOptions(['--only', 'jsn']), /Cannot measure "jsn"/)
  assert.throws(() => parseOptions(['--soak', '10']), /write it as 90s or 10m/)
})
