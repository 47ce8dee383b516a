import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { constants, createGunzip, gzipSync } from 'node:zlib'
import { startEngine } from '@ascribe/sandbox'
import { createTestDisk } from './disk.ts'
import type { TestDisk } from './disk.ts'
import { ask, CHAT, chunk, chunkedHead, EVENTS, fixedReply, IDENTITY, jsonChat, LAST_CHUNK, rawUpstream, STREAM } from './support.ts'
import { startTestGateway, until, watch } from './support.ts'
import type { GatewayOptions, RawUpstream, TestGateway } from './support.ts'

const SHORT_STREAM = EVENTS.content('a') + EVENTS.finish

type World = TestGateway & { readonly disk: TestDisk; readonly upstream: RawUpstream }

/** A gateway on a disk with knobs, before an upstream that answers everything with `reply`. */
async function start(t: TestContext, reply: string | Buffer, options: GatewayOptions = {}): Promise<World> {
  const disk = createTestDisk()
  const upstream = await rawUpstream(t, (wire) => void wire.socket.write(reply))
  // Before the gateway is closed, which waits for the disk.
  t.after(() => disk.release())
  const gateway = await startTestGateway(t, { upstream: upstream.url, journalFs: disk, ...options })
  return Object.assign(gateway, { disk, upstream })
}

/** The settlement is in the kernel, and everything that was going to be written has had its turn. */
async function settled(world: World): Promise<void> {
  await until('the settlement waits for the disk', () => world.disk.written.includes('"endedAt"') && world.disk.waiting > 0)
  for (let turns = 0; turns < 30; turns += 1) await turn()
}

const bodyOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4)

test('the terminal event of a stream is not on the wire before the settlement is durable', async (t) => {
  const world = await start(
    t,
    Buffer.concat([
      Buffer.from(chunkedHead('text/event-stream')),
      chunk(SHORT_STREAM + EVENTS.usage(3, 1) + EVENTS.done),
      Buffer.from(LAST_CHUNK),
    ]),
  )
  world.disk.held = true
  const client = await watch(t, world.port, { body: STREAM })
  await client.sees('finish_reason":"stop"')
  await settled(world)
  assert.ok(!client.text.includes('DONE'), client.text)
  assert.ok(!client.text.endsWith(LAST_CHUNK), client.text)
  world.disk.release()
  await client.sees(`data: [DONE]\n\n\r\n${LAST_CHUNK}`)
})

test('the end of a stream without a terminal event is not on the wire before the settlement is durable', async (t) => {
  const world = await start(t, Buffer.concat([Buffer.from(chunkedHead('text/event-stream')), chunk(SHORT_STREAM), Buffer.from(LAST_CHUNK)]))
  world.disk.held = true
  const client = await watch(t, world.port, { body: STREAM })
  await client.sees('finish_reason":"stop"')
  await settled(world)
  assert.ok(!client.text.endsWith(LAST_CHUNK), client.text)
  world.disk.release()
  await client.sees(LAST_CHUNK)
})

test('the last byte of a JSON reply is not on the wire before the settlement is durable', async (t) => {
  const world = await start(t, fixedReply(jsonChat(3, 1)))
  world.disk.held = true
  const client = await watch(t, world.port)
  await settled(world)
  assert.ok(bodyOf(client.text).length < jsonChat(3, 1).length, client.text)
  world.disk.release()
  await client.sees(jsonChat(3, 1))
})

test('the last byte of a JSON reply in pieces is not on the wire before the settlement is durable', async (t) => {
  const world = await start(
    t,
    Buffer.concat([Buffer.from(chunkedHead('application/json')), chunk(jsonChat(3, 1)), chunk('\n'), Buffer.from(LAST_CHUNK)]),
  )
  world.disk.held = true
  const client = await watch(t, world.port)
  await client.sees('hello')
  await settled(world)
  assert.ok(client.text.includes(jsonChat(3, 1).slice(0, -1)), client.text)
  assert.ok(!client.text.includes(jsonChat(3, 1)), client.text)
  world.disk.release()
  await client.sees(LAST_CHUNK)
})

test('the head of a reply without a body is not on the wire before the settlement is durable', async (t) => {
  const world = await start(t, fixedReply('', { status: '503 Service Unavailable' }))
  world.disk.held = true
  const client = await watch(t, world.port)
  await settled(world)
  assert.equal(client.text, '')
  world.disk.release()
  await client.sees('HTTP/1.1 503')
})

test('a compressed terminal event is not on the wire before the settlement is durable', async (t) => {
  const events = Buffer.from(SHORT_STREAM + EVENTS.usage(3, 1) + EVENTS.done)
  const zipped = gzipSync(events, { finishFlush: constants.Z_SYNC_FLUSH })
  const world = await start(t, Buffer.concat([Buffer.from(chunkedHead('text/event-stream', 'Content-Encoding: gzip\r\n')), chunk(zipped)]))
  world.disk.held = true
  const client = await watch(t, world.port, { body: STREAM })
  await settled(world)
  assert.ok(!(await decoded(bodyOf(client.text))).includes('DONE'))
  world.disk.release()
  await client.sees(zipped.toString('latin1').slice(0, -1))
})

/** As much as can be decoded of a first chunk. */
async function decoded(body: string): Promise<string> {
  const gunzip = createGunzip()
  let text = ''
  gunzip.on('data', (part: Buffer) => {
    text += part.toString()
  })
  gunzip.write(Buffer.from(body.slice(body.indexOf('\r\n') + 2), 'latin1'))
  for (let turns = 0; turns < 30; turns += 1) await turn()
  gunzip.destroy()
  return text
}

test('an error that the gateway answers for a dead upstream waits for its settlement too', async (t) => {
  const world = await start(t, '', { upstream: 'http://127.0.0.1:1' })
  world.disk.held = true
  const client = await watch(t, world.port)
  await settled(world)
  assert.equal(client.text, '')
  world.disk.release()
  await client.sees('HTTP/1.1 502')
})

test('with ack: async a reply waits for the kernel only', async (t) => {
  const world = await start(t, fixedReply(jsonChat(3, 1)), { ack: 'async' })
  world.disk.held = true
  assert.equal((await ask(world.url)).text, jsonChat(3, 1))
  assert.match(world.disk.written, /"endedAt"/)
})

test('the intent is in the kernel before the upstream sees a byte', async (t) => {
  const disk = createTestDisk()
  let intent: unknown
  const upstream = await rawUpstream(t, (wire) => {
    const id = /x-request-id: (\S+)/i.exec(wire.text)?.[1]
    intent = id !== undefined && disk.written.includes(`"eventId":"${id}"`)
    wire.socket.write(fixedReply(jsonChat(3, 1)))
  })
  const world = await startTestGateway(t, { upstream: upstream.url, journalFs: disk })
  assert.equal((await ask(world.url)).status, 200)
  assert.equal(intent, true)
})

for (const [what, reply, body] of [
  ['a JSON reply', fixedReply(jsonChat(3, 1)), CHAT],
  [
    'a JSON reply in pieces',
    Buffer.concat([Buffer.from(chunkedHead('application/json')), chunk(jsonChat(3, 1)), Buffer.from(LAST_CHUNK)]),
    CHAT,
  ],
  [
    'a stream',
    Buffer.concat([Buffer.from(chunkedHead('text/event-stream')), chunk(SHORT_STREAM + EVENTS.done), Buffer.from(LAST_CHUNK)]),
    STREAM,
  ],
] as const) {
  test(`${what} whose settlement cannot be made durable is reset, and nothing more is admitted`, async (t) => {
    const world = await start(t, reply)
    assert.equal(world.gateway.unready, undefined)
    world.disk.syncFails = true
    const answer = await ask(world.url, { body })
    assert.equal(answer.whole, false)
    assert.ok(!answer.text.includes('DONE'))
    assert.equal(world.gateway.unready, 'the journal is failed')
    const next = await ask(world.url)
    assert.equal(next.status, 503)
    assert.equal(JSON.parse(next.text).error.code, 'metering_unavailable')
    assert.equal(next.headers['retry-after'], '1')
    assert.equal(world.upstream.wires.length, 1, 'the upstream saw the first request only')
  })
}

test('a settlement that cannot be written resets the reply', async (t) => {
  const disk = createTestDisk()
  const upstream = await rawUpstream(t, (wire) => {
    disk.writeFails = true
    wire.socket.write(fixedReply(jsonChat(3, 1)))
  })
  const world = await startTestGateway(t, { upstream: upstream.url, journalFs: disk })
  assert.equal((await ask(world.url)).whole, false)
  assert.equal(world.gateway.unready, 'the journal is failed')
})

test('a request whose intent cannot be written is 503, and the upstream sees nothing', async (t) => {
  const world = await start(t, fixedReply(jsonChat(3, 1)))
  world.disk.writeFails = true
  const answer = await ask(world.url)
  assert.equal(answer.status, 503)
  assert.equal(JSON.parse(answer.text).error.code, 'metering_unavailable')
  assert.deepEqual(world.upstream.wires, [])
  assert.equal(world.gateway.unready, 'the journal is failed')
})

test('a full disk refuses with 503 what it cannot record, settles what is open, and serves again when there is space', async (t) => {
  const disk = createTestDisk()
  const engine = await startEngine()
  t.after(() => engine.close())
  const world = await startTestGateway(t, { upstream: engine.url, journalFs: disk })
  // Fat entries fill the segment in a few hundred requests.
  const headers = { ...IDENTITY, 'X-Saturn-Fat': 'x'.repeat(15_000) }
  const body = { model: 'sandbox-embed', input: 'a' }
  disk.isFull = true
  const statuses: number[] = []
  while (!statuses.includes(503) && statuses.length < 2_000) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(world.url, { path: '/v1/embeddings', body, headers })))
    assert.ok(answers.every((answer) => answer.whole))
    statuses.push(...answers.map((answer) => answer.status))
  }
  const served = statuses.filter((status) => status === 200).length
  assert.ok(served > 100 && statuses.includes(503), `${served} of ${statuses.length} served`)
  assert.equal(engine.totals.requests, served)
  assert.equal((await world.records(served)).length, served)
  disk.isFull = false
  await until('it serves again', async () => (await ask(world.url, { path: '/v1/embeddings', body, headers })).status === 200)
})

test('a client that leaves while the end of its reply waits for the disk is settled once, as completed', async (t) => {
  const world = await start(
    t,
    Buffer.concat([Buffer.from(chunkedHead('text/event-stream')), chunk(SHORT_STREAM + EVENTS.usage(3, 1) + EVENTS.done)]),
  )
  world.disk.held = true
  const client = await watch(t, world.port, { body: STREAM })
  await client.sees('finish_reason":"stop"')
  await settled(world)
  client.socket.destroy()
  await (await world.upstream.asked()).isClosed()
  world.disk.release()
  assert.equal((await world.record()).outcome, 'completed')
})
