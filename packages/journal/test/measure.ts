import { spawn } from 'node:child_process'
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { JournalWriter } from '../src/index.ts'
import { nextId, openWriter, temporaryRoot } from './kit.ts'

// Run by hand: `npm run measure -w @ascribe/journal`. Prints what the README quotes: the disk's own fdatasync, records a
// second flat out, and CPU a record at fixed rates for several commit intervals. A record is one intent or settlement.

const INTENT = JSON.stringify({
  eventId: nextId(),
  startedAt: Date.now(),
  requestId: nextId(),
  authId: 'k'.repeat(24),
  resourceId: 'default',
  route: 'default',
  api: 'chat',
  modelAsked: 'a-model-name',
  streamed: true,
  identifiedBy: 'key',
})
const SETTLEMENT = JSON.stringify({
  ...JSON.parse(INTENT),
  endedAt: Date.now(),
  outcome: 'completed',
  provenance: 'reported',
  status: 200,
  model: 'a-model-name',
  promptTokens: 812,
  cachedTokens: 0,
  completionTokens: 230,
  meters: { input_tokens: 812, output_tokens: 230 },
})
const SECONDS = 3

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor((sorted.length - 1) * q)] ?? Number.NaN

async function diskItself(folder: string): Promise<void> {
  const fd = openSync(join(folder, 'probe'), 'wx')
  const sync = promisify(fdatasync)
  const buffer = Buffer.alloc(4096, 1)
  for (let at = 0; at < 1 << 20; at += buffer.length) writeSync(fd, Buffer.alloc(buffer.length), 0, buffer.length, at)
  await sync(fd)
  const times: number[] = []
  for (let index = 0; index < 2000; index += 1) {
    writeSync(fd, buffer, 0, buffer.length, (index % 256) * 4096)
    const start = performance.now()
    await sync(fd)
    times.push((performance.now() - start) * 1000)
  }
  closeSync(fd)
  times.sort((a, b) => a - b)
  say(`disk: fdatasync of one 4 KiB overwrite p50 ${quantile(times, 0.5).toFixed(0)} µs, p99 ${quantile(times, 0.99).toFixed(0)} µs`)
}

async function oneRequest(writer: JournalWriter): Promise<void> {
  const id = nextId()
  await writer.intend(id, INTENT)
  await writer.settle(id, SETTLEMENT)
}

async function flatOut(root: string, concurrency: number): Promise<void> {
  await using writer = await openWriter(root)
  const cpu = process.cpuUsage()
  const start = performance.now()
  const end = start + SECONDS * 1000
  let requests = 0
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        await oneRequest(writer)
        requests += 1
      }
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  const { commits, writes } = writer.stats
  say(
    `flat out, ${concurrency} at once: ${Math.round((2 * requests) / seconds)} records/s, ${((used.user + used.system) / (2 * requests)).toFixed(2)} µs CPU a record, ` +
      `${Math.round(commits / seconds)} commits/s, ${Math.round(writes / seconds)} writes/s`,
  )
}

// Writes one byte for each request that is due and spins between, so that requests come one by one as they do from
// sockets and not in the bursts of a timer. In a process of its own: its CPU is not ours.
const PACER = `
const { writeSync } = require('node:fs')
const [rate, ms] = process.argv.slice(1).map(Number)
const start = performance.now()
let sent = 0
for (let now = 0; now < ms; now = performance.now() - start) {
  const due = Math.floor((now / 1000) * rate) - sent
  if (due > 0) sent += writeSync(1, Buffer.alloc(due))
}`

/** `rate` requests a second. CPU is that of all threads of this process, less what the same run costs without a journal. */
async function paced(
  root: string,
  options: { readonly rate: number; readonly commitIntervalMs: number; readonly baseline: number | undefined },
): Promise<number> {
  await using writer = await openWriter(root, { commitIntervalMs: options.commitIntervalMs })
  const intents: number[] = []
  const settlements: number[] = []
  const running = new Set<Promise<void>>()
  let ended = 0
  const one = async (): Promise<void> => {
    const id = nextId()
    const at = performance.now()
    if (options.baseline !== undefined) await writer.intend(id, INTENT)
    const admitted = performance.now()
    if (options.baseline !== undefined) await writer.settle(id, SETTLEMENT)
    intents.push((admitted - at) * 1000)
    settlements.push((performance.now() - admitted) * 1000)
    ended += 1
  }
  const pacer = spawn(process.execPath, ['-e', PACER, String(options.rate), String(SECONDS * 1000)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const cpu = process.cpuUsage()
  for await (const bytes of pacer.stdout) {
    for (let index = 0; index < (bytes as Buffer).length; index += 1) {
      const request = one()
      running.add(request)
      void request.finally(() => running.delete(request))
    }
  }
  await Promise.all(running)
  const used = process.cpuUsage(cpu)
  intents.sort((a, b) => a - b)
  settlements.sort((a, b) => a - b)
  const perRecord = (used.user + used.system) / (2 * ended)
  if (options.baseline === undefined) return perRecord
  say(
    `${options.rate} settlements/s, interval ${options.commitIntervalMs} ms: ${(perRecord - options.baseline).toFixed(2)} µs CPU a record, ` +
      `intend p50 ${quantile(intents, 0.5).toFixed(0)} µs p99 ${quantile(intents, 0.99).toFixed(0)}, ` +
      `settle p50 ${quantile(settlements, 0.5).toFixed(0)} µs p99 ${quantile(settlements, 0.99).toFixed(0)} µs, ` +
      `${Math.round(writer.stats.commits / SECONDS)} commits/s`,
  )
  return perRecord
}

{
  await using place = await temporaryRoot()
  await openWriter(place.root).then((writer) => writer.close())
  await diskItself(place.data)
  await flatOut(place.root, 64)
  await flatOut(place.root, 1000)
  for (const rate of [1000, 10_000, 40_000]) {
    const baseline = await paced(place.root, { rate, commitIntervalMs: 1, baseline: undefined })
    for (const commitIntervalMs of [0, 0.5, 1, 2]) await paced(place.root, { rate, commitIntervalMs, baseline })
  }
}
