import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { dial, post, rawUpstream, startRelay, textReply, until } from './support.ts'
import type { Recorder, Wire } from './support.ts'

const REQUESTS = 400
/** A bound for a machine with much else to do; usually it is over in three seconds. */
const CHAOS_MS_MAX = 40_000
const CLIENTS = 24

/** Every call that an exchange may see, in the order it may see them. */
const LAWFUL = /^(gone )?(head )?(gone )?(data )?(gone )?(data )?(gone )?(end|fail) $/

test('every exchange gets exactly one of end() and fail(), whatever either side does', async (t) => {
  const random = seeded(Number(process.env['CHAOS_SEED'] ?? 7))
  const upstream = await rawUpstream(t, (wire) => wire.socket.on('data', () => void misbehave(wire, random)))
  const { port, recorders, relay } = await startRelay(t, {
    upstreamPort: upstream.port,
    upstream: { headTimeoutMs: 100, idleTimeoutMs: 100, connectionsMax: 16 },
    ready: () => (random() < 0.9 ? delay(random() * 3) : Promise.reject(new Error('not admitted'))),
    plan: (recorder) => plan(recorder, random),
  })
  const deadline = performance.now() + CHAOS_MS_MAX
  let asked = 0
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (asked < REQUESTS && performance.now() < deadline) {
        // oxlint-disable-next-line no-await-in-loop -- each client does one thing after the other
        const client = await dial(t, port)
        asked += 1
        // oxlint-disable-next-line no-await-in-loop -- as above
        await visit(client, random)
      }
    }),
  )
  await until('everything has ended', () => relay.open === 0)
  assert.ok(recorders.length > 100, `${recorders.length} exchanges`)
  for (const recorder of recorders) assert.match(`${recorder.calls.join(' ')} `, LAWFUL)
  const kinds = new Set(recorders.flatMap((recorder) => recorder.kinds))
  assert.ok(kinds.size >= 3, `only ${[...kinds].join(', ')}`)
  assert.ok(recorders.some((recorder) => recorder.calls.includes('end')))
  await relay.close({ graceMs: 0 })
  await until('the upstream connections are closed', () => upstream.wires.every((wire) => wire.ended || wire.closed))
})

function plan(recorder: Recorder, random: () => number): void {
  recorder.drain = random() < 0.3 ? { ms: 0, bytes: 0 } : { ms: random() * 50, bytes: random() * 50_000 }
  recorder.onEnd = (sink) => {
    if (random() < 0.5) sink.barrier(random() < 0.9 ? delay(random() * 5) : Promise.reject(new Error('disk full')))
    sink.end()
  }
  recorder.onFail = (_failure, sink) => {
    if (random() < 0.5) sink.barrier(random() < 0.9 ? delay(random() * 5) : Promise.reject(new Error('disk full')))
    if (sink.headSent) sink.reset()
    else sink.reply(textReply(502, 'sorry'))
  }
}

async function visit(client: Wire, random: () => number): Promise<void> {
  const body = 'x'.repeat(Math.floor(random() * 2_000))
  if (random() < 0.1) {
    client.send(post(body).slice(0, -1))
  } else {
    const requests = random() < 0.2 ? 2 : 1
    for (let i = 0; i < requests; i += 1) client.send(post(body))
  }
  if (random() < 0.2) client.socket.pause()
  const patience = performance.now() + random() * (random() < 0.3 ? 5 : 300)
  // oxlint-disable-next-line no-await-in-loop -- polling is the point
  while (performance.now() < patience && !client.closed && !client.text.endsWith('0\r\n\r\n')) await delay(2)
  const leave = random()
  if (leave < 0.4) client.socket.resetAndDestroy()
  else if (leave < 0.7) client.socket.destroy()
  else client.socket.end()
  client.socket.resume()
  await delay(random() * 10)
  client.socket.destroy()
}

async function misbehave(wire: Wire, random: () => number): Promise<void> {
  if (random() < 0.5) await delay(random() * 10)
  if (wire.socket.destroyed) return
  const choice = random()
  if (choice < 0.1) wire.socket.destroy()
  else if (choice < 0.15) wire.socket.resetAndDestroy()
  else if (choice < 0.2) wire.send('nonsense\r\n\r\n')
  else if (choice < 0.25) return
  else if (choice < 0.5) wire.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  else {
    wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let i = 0; i < 8 && !wire.socket.destroyed; i += 1) {
      const size = Math.floor(random() * 20_000) + 1
      wire.send(`${size.toString(16)}\r\n${'y'.repeat(size)}\r\n`)
      // oxlint-disable-next-line no-await-in-loop -- a stream takes its time
      if (random() < 0.5) await delay(random() * 5)
      if (random() < 0.05) wire.socket.destroy()
    }
    if (!wire.socket.destroyed && random() < 0.8) wire.send('0\r\n\r\n')
  }
}

/** Mulberry32: the same seed gives the same choices, though not the same timing. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
