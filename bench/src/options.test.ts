import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOptions } from './options.ts'
import type { BenchOptions } from './options.ts'

function optionsOf(args: readonly string[]): BenchOptions {
  const options = parseOptions(args)
  assert(options !== 'help')
  return options
}

test('parseOptions() takes everything by default, in the order of the report', () => {
  const options = parseOptions([])
  assert.deepEqual(options, {
    sections: [
      'json',
      'sse',
      'latency',
      'journal',
      'bodies',
      'soak',
      'streams',
      'gc',
      'impersonation',
      'ledger',
      'reads',
      'audit',
      'controller',
    ],
    quick: false,
    soakSeconds: 15,
    records: 1_000_000,
    backlog: 100_000,
    soakRecords: 50_000_000,
  })
})

test('parseOptions() understands a choice of sections and a length of the soak', () => {
  const { sections, quick, soakSeconds } = optionsOf(['--only', 'soak,json', '--quick', '--soak', '10m'])
  assert.deepEqual({ sections, quick, soakSeconds }, { sections: ['json', 'soak'], quick: true, soakSeconds: 600 })
})

test('parseOptions() understands numbers of records, and takes the soak of the ledger only when it is named', () => {
  const options = optionsOf(['--only', 'ledger-soak', '--soak-records', '2M', '--records', '500k', '--backlog', '1234'])
  const { sections, soakRecords, records, backlog } = options
  assert.deepEqual([sections, soakRecords, records, backlog], [['ledger-soak'], 2_000_000, 500_000, 1234])
  assert.throws(() => parseOptions(['--records', '1G']), /write it as 500k or 10M/)
})

test('parseOptions() refuses an unknown section and a length without a unit, in words', () => {
  assert.throws(() => parseOptions(['--only', 'jsn']), /Cannot measure "jsn"/)
  assert.throws(() => parseOptions(['--soak', '10']), /write it as 90s or 10m/)
})
