import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CONSTANTS, valuesOf } from './constants.ts'
import { oneBox, planFor, playBurst } from './plan.ts'
import { capacityTables } from './tables.ts'

/** Round figures, so that the arithmetic can be done in the head. */
const ROUND = {
  ...valuesOf(),
  gatewayCpuUs: 100,
  streamShare: 0,
  ingestPerSecond: 10_000,
  ratingPerSecond: 50_000,
  natsPerSecond: 20_000,
  batchRecords: 100,
  targetUtilization: 0.5,
  gatewayCores: 10,
  databaseCores: 4,
  recordBytes: 500,
  journalBytes: 1000,
  copies: 3,
  clickhousePerSecond: 100_000,
  clickhouseBytes: 25,
  streamMbPerSecond: 50,
}

test('planFor() needs twice the machines for twice the load, and nothing but the constants', () => {
  const plan = planFor(100_000, ROUND)
  assert.deepEqual(plan, {
    requestsPerSecond: 100_000,
    // 100,000 x 100 µs are ten cores, twenty at half use.
    gatewayCores: 20,
    gatewayMachines: 2,
    journalMbPerSecond: 100,
    // 1,000 messages a second are nothing, but 100 MB are twice what a stream writes.
    streams: 2,
    brokerMbPerSecond: 300,
    ingestWriters: 20,
    databases: 10,
    raters: 4,
    recordsPerDay: 8_640_000_000,
    databaseGbPerDay: 4320,
    clickhouseNodes: 2,
    clickhouseGbPerDay: 216,
  })
  const twice = planFor(200_000, ROUND)
  assert.deepEqual([twice.gatewayCores, twice.ingestWriters, twice.databases], [40, 40, 20])
})

test('planFor() leaves broker and ClickHouse out where one machine and rollups do', () => {
  const { gatewayMachines, streams, brokerMbPerSecond, databases, clickhouseNodes } = planFor(100, ROUND)
  assert.deepEqual([gatewayMachines, streams, brokerMbPerSecond, databases, clickhouseNodes], [1, 0, 0, 1, 0])
})

test('oneBox() is bound by its cores while they are few, then by one writer of records', () => {
  // 100 + 100 + 2 x 20 µs a request: 2 cores at half use.
  assert.deepEqual(oneBox(2, ROUND), { requestsPerSecond: 4166, bound: 'gateway and ledger share its cores' })
  assert.deepEqual(oneBox(64, ROUND), { requestsPerSecond: 5000, bound: 'one writer of records' })
})

test('playBurst() piles up what ingest does not take, and drains it with what is left over', () => {
  const run = playBurst({ normal: 5000, burst: 20_000, burstSeconds: 60, ingestPerSecond: 10_000 }, ROUND)
  assert.deepEqual(run, { backlogMax: 600_000, drainedAfterS: 120, journalGbMax: 0.6 })
  assert.equal(playBurst({ normal: 10_000, burst: 20_000, burstSeconds: 1, ingestPerSecond: 10_000 }, ROUND).drainedAfterS, Infinity)
  assert.equal(playBurst({ normal: 1, burst: 2, burstSeconds: 9, ingestPerSecond: 10 }, ROUND).backlogMax, 0)
})

test('CONSTANTS each name their source, and docs/capacity.md has the tables that follow from them', () => {
  for (const [name, { source, value }] of Object.entries(CONSTANTS)) assert.ok(source !== '' && value > 0, name)
  const page = readFileSync(join(import.meta.dirname, '../../../docs/capacity.md'), 'utf8')
  for (const line of capacityTables().split('\n'))
    assert.ok(page.includes(line), `docs/capacity.md lacks a line; run node bench/src/capacity/main.ts:\n${line}`)
})
