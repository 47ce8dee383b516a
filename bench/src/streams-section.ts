import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { nodeProgram, startWholeGateway } from './contestants.ts'
import { Lines, memoryOf, start } from './processes.ts'
import { number } from './report.ts'
import type { Section } from './report.ts'
import { requestBytes } from './requests.ts'
import type { Setting } from './setting.ts'

/** With two files a stream in the gateway, as many as fit into the usual limit of 20,000. */
const STREAMS = 9_500
const STREAMS_QUICK = 1_000
/** Opened at once. */
const OPENING = 200
const KIB_MAX = 20
/** Of 10,000 streams, counted up from what was opened. */
const MIB_MAX = 300
const CLAIMED = 10_000
const SETTLE_MS = 3_000
const PATIENCE_MS = 60_000

/** What a stream costs in memory that is open and silent, as most are at any instant. */
export async function measureStreams(setting: Setting): Promise<Section> {
  const count = setting.quick ? STREAMS_QUICK : STREAMS
  setting.progress(`${number(count)} open streams`)
  await using engine = start(nodeProgram(new URL('./silent-engine-process.ts', import.meta.url), []), { core: 'any', stdin: 'pipe' })
  const { port } = await new Lines(engine).next<{ port: number }>()
  await using gateway = await startWholeGateway(port, { ack: 'durable', scratch: setting.scratch, connections: 20_000 })
  const request = requestBytes(gateway.headers, { stream: true })
  // Its code and its first buffers are no matter of the number of streams.
  const warm = await openAll(gateway.port, request, OPENING)
  await delay(SETTLE_MS)
  const before = memoryOf(gateway.pid).now
  const streams = await openAll(gateway.port, request, count)
  await delay(SETTLE_MS)
  const { now, peak } = memoryOf(gateway.pid)
  engine.process.stdin?.write('end\n')
  const all = [...warm, ...streams]
  const deadline = performance.now() + PATIENCE_MS
  while (all.some(({ isWhole }) => !isWhole) && performance.now() < deadline) await delay(50)
  const whole = all.filter(({ isWhole }) => isWhole).length
  for (const { socket } of all) socket.destroy()
  const kib = ((now - before) * 1024) / count
  const ofClaimed = before + (kib * CLAIMED) / 1024
  return {
    name: 'streams',
    title: `Memory of ${number(count)} streams that are open and silent`,
    columns: ['', ''],
    rows: [
      [`RSS with ${OPENING} of them, MiB`, number(before)],
      ['RSS with all, MiB', number(now)],
      ['peak, MiB', number(peak)],
      ['a stream, KiB', number(kib)],
      ['streams that ended whole afterwards', `${number(whole)} of ${number(all.length)}`],
    ],
    notes: [],
    targets: [
      { what: 'a stream that is open and silent', value: kib, limit: KIB_MAX, kind: 'most', unit: ' KiB' },
      { what: `${number(CLAIMED)} of them`, value: ofClaimed, limit: MIB_MAX, kind: 'most', unit: ' MiB' },
      { what: 'streams that did not end whole', value: all.length - whole, limit: 0, kind: 'most', unit: '' },
    ],
    raw: { count, before, now, peak, whole },
  }
}

type OpenStream = { readonly socket: Socket; isWhole: boolean }

async function openAll(port: number, request: Buffer, count: number): Promise<readonly OpenStream[]> {
  const streams: OpenStream[] = []
  while (streams.length < count) {
    const some = Array.from({ length: Math.min(OPENING, count - streams.length) }, () => openOne(port, request))
    streams.push(...(await Promise.all(some)))
  }
  return streams
}

/** Resolves when the first event is there. */
function openOne(port: number, request: Buffer): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    const stream: OpenStream = { socket, isWhole: false }
    let tail = ''
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('a stream was closed before its first event')))
    socket.on('data', (bytes: Buffer) => {
      tail = tail.slice(-64) + bytes.toString('latin1')
      if (tail.includes('"one"')) resolve(stream)
      if (tail.includes('[DONE]')) stream.isWhole = true
    })
  })
}
