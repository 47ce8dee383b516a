import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { startWholeGateway } from './contestants.ts'
import { memoryOf } from './processes.ts'
import { IDENTITY_HEADERS } from './requests.ts'
import { number } from './report.ts'
import type { Section } from './report.ts'
import type { Setting } from './setting.ts'

const BODY_BYTES = 300 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 0x61)
/** A client that reads this much, then waits, is slower than any engine. */
const READ_AT_ONCE = 4 * 1024 * 1024
const PAUSE_MS = 20
/** Of growth: the kernel's and Node's buffers of one connection, and what the garbage collector has not come to. */
const GROWTH_MIB_MAX = 64

type BodyRun = { readonly what: string; readonly outcome: string; readonly before: number; readonly peak: number }

/** Whether one huge body makes the gateway grow: the reply's with a client that reads slowly, and the request's. */
export async function measureBodies(setting: Setting): Promise<Section> {
  setting.progress('bodies of 300 MB')
  const runs = [
    await withGateway(setting, 'reply of 300 MiB, slow reader', readSlowly),
    await withGateway(setting, 'request of 300 MiB, announced', (port) => sendMuch(port, true)),
    await withGateway(setting, 'request of 300 MiB, chunked', (port) => sendMuch(port, false)),
  ]
  return {
    name: 'bodies',
    title: 'Memory under one huge body',
    columns: ['', 'outcome', 'RSS before, MiB', 'peak, MiB', 'growth, MiB'],
    rows: runs.map(({ what, outcome, before, peak }) => [what, outcome, number(before), number(peak), number(peak - before)]),
    notes: ['a chunked request is read up to the limit of bodies (32 MiB by default), then refused'],
    targets: runs.map(({ what, before, peak }) => ({
      what: `growth, ${what}`,
      value: peak - before,
      limit: GROWTH_MIB_MAX,
      kind: 'most',
      unit: ' MiB',
    })),
    raw: runs,
  }
}

/** A gateway of its own, since a peak does not go away. */
async function withGateway(setting: Setting, what: string, body: (port: number) => Promise<string>): Promise<BodyRun> {
  const engine = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY_BYTES })
    let left = BODY_BYTES
    const more = (): void => {
      while (left > 0) {
        left -= PIECE.length
        if (!response.write(PIECE)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  })
  engine.listen(0, '127.0.0.1')
  await once(engine, 'listening')
  try {
    await using gateway = await startWholeGateway((engine.address() as AddressInfo).port, { ack: 'durable', scratch: setting.scratch })
    const before = memoryOf(gateway.pid).now
    const outcome = await body(gateway.port)
    return { what, outcome, before, peak: memoryOf(gateway.pid).peak }
  } finally {
    engine.closeAllConnections()
    engine.close()
  }
}

function headOf(more: string): string {
  const identity = IDENTITY_HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n${identity}Content-Type: application/json\r\n${more}\r\n\r\n`
}

async function readSlowly(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const body = '{"model":"bench-model","messages":[]}'
  socket.write(`${headOf(`Connection: close\r\nContent-Length: ${body.length}`)}${body}`)
  let taken = 0
  let pausedAt = READ_AT_ONCE
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    taken += chunk.length
    if (taken < pausedAt) continue
    pausedAt += READ_AT_ONCE
    await delay(PAUSE_MS)
  }
  return taken >= BODY_BYTES ? 'whole' : `broke off after ${taken} bytes`
}

async function sendMuch(port: number, announced: boolean): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let reply = ''
  let ended = false
  socket.on('data', (bytes: Buffer) => {
    reply += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
  })
  socket.write(headOf(announced ? `Content-Length: ${BODY_BYTES}` : 'Transfer-Encoding: chunked'))
  const piece = announced ? PIECE : Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')])
  let sent = 0
  // As clients do, it stops sending once the answer is there.
  while (sent < BODY_BYTES && !ended && reply === '') {
    sent += PIECE.length
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), once(socket, 'data')])
    else await delay(0)
  }
  const giveUp = performance.now() + 5_000
  while (reply === '' && !ended && performance.now() < giveUp) await delay(10)
  socket.destroy()
  return /^HTTP\/1\.1 (\d{3})/.exec(reply)?.[1] ?? 'no reply'
}
