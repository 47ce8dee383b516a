import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compare, faultsOf, median } from './compare.ts'
import type { Contestant } from './contestants.ts'
import type { Peer, PeerResult } from './peer.ts'

const NONE = { count: 0, p50: 0, p90: 0, p99: 0, max: 0 }

function resultOf(cpuUs: number): PeerResult {
  const quantiles = { firstByteUs: NONE, lastByteUs: NONE, chunkUs: NONE }
  return {
    seconds: 1,
    completed: 1,
    chunks: 0,
    mismatches: 0,
    broken: 0,
    queued: 0,
    user: cpuUs / 1e6,
    system: 0,
    complaint: '',
    ...quantiles,
  }
}

function contestant(name: string, port: number): Contestant {
  return { name, port, pid: process.pid, headers: [], [Symbol.asyncDispose]: () => Promise.resolve() }
}

/** Answers each run with the next cost of the port that is asked. */
function peerWith(costs: Record<number, number[]>): Peer & { readonly asked: number[] } {
  const asked: number[] = []
  return {
    port: 0,
    asked,
    run({ port }) {
      asked.push(port)
      return Promise.resolve(resultOf(costs[port]?.shift() ?? Number.NaN))
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

const load = { connections: 1, warmSeconds: 0, seconds: 1 }
const common = { rounds: 1, stream: false, load: () => load, units: ({ completed }: PeerResult) => completed }

test('compare() divides each cost by the mean of the sentinel before and after it', async () => {
  const peer = peerWith({ 1: [10, 30, 30], 2: [40], 3: [90] })
  const [sentinel, ...contestants] = [contestant('floor', 1), contestant('a', 2), contestant('b', 3)]
  const compared = await compare({ ...common, peer, sentinel, contestants })
  assert.deepEqual(peer.asked, [1, 2, 1, 3, 1])
  const ratios = compared.map(({ name, ratio, costUs }) => [name, ratio, Math.round(costUs)])
  assert.deepEqual(ratios, [
    ['floor', 1, 10],
    ['a', 2, 40],
    ['b', 3, 90],
  ])
})

test('compare() gives costs and no ratios when there is no sentinel', async () => {
  const peer = peerWith({ 2: [40] })
  const [only] = await compare({ ...common, peer, sentinel: undefined, contestants: [contestant('a', 2)] })
  assert.deepEqual([only?.ratio, Math.round(only?.costUs ?? 0)], [undefined, 40])
})

test('faultsOf() counts bad replies and keeps the first complaint', () => {
  assert.equal(faultsOf([resultOf(1)]), undefined)
  const bad = [resultOf(1), { ...resultOf(1), mismatches: 2, broken: 1, complaint: 'not 200' }]
  assert.equal(faultsOf(bad), '3 bad replies: not 200')
})

test('median() is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
})
