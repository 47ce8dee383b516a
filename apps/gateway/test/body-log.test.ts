import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { silentLogger } from '@ascribe/kit'
import { createMeters } from '@ascribe/service'
import { createIdSource } from '@ascribe/units'
import fc from 'fast-check'
import { BodyLog, eraseBodies, readBodies } from '../src/body-log/index.ts'
import type { BodyEntry, BodyLogSettings } from '../src/body-log/index.ts'
import { removeOld } from '../src/body-log/files.ts'
import { createRedactor } from '../src/body-log/redact.ts'
import { isSampled } from '../src/body-log/sample.ts'
import { beginningOf, textOf } from '../src/body-log/text.ts'

const SECRET = Buffer.alloc(32, 3)
const SETTINGS: BodyLogSettings = {
  bodyBytesMax: 200,
  retentionMs: 86_400_000,
  diskBytesMax: 1 << 20,
  redact: ['secrets', 'emails', 'cards'],
  redactMembers: ['patient'],
}
const newId = createIdSource(Date.now)

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-bodies-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'bodies')
}

type Exchange = {
  readonly request: string
  readonly reply: readonly (string | Buffer)[]
  readonly requestType?: string
  readonly replyType?: string
  readonly isEncoded?: boolean
  readonly authId?: string
}

/** Keeps exchanges, and gives what can be read of them afterwards. */
async function kept(dir: string, exchanges: readonly Exchange[], settings: Partial<BodyLogSettings> = {}): Promise<readonly BodyEntry[]> {
  const log = new BodyLog({
    dir,
    writer: 'w',
    serverSecret: SECRET,
    settings: { ...SETTINGS, ...settings },
    logger: silentLogger,
    meters: createMeters(),
  })
  for (const {
    request,
    reply,
    requestType = 'application/json',
    replyType = 'application/json',
    isEncoded = false,
    authId = 'a',
  } of exchanges) {
    const intent = { eventId: newId(), startedAt: Date.now(), authId }
    const meta = { intent, head: { headers: ['Content-Type', requestType] }, body: Buffer.from(request) }
    const capture = log.follow(meta, 1_000_000) ?? assert.fail('not followed')
    capture.head(200, { contentType: replyType, isEncoded })
    for (const chunk of reply) capture.data(Buffer.from(chunk))
    capture.end('completed')
  }
  await log[Symbol.asyncDispose]()
  return Array.fromAsync(readBodies({ dir, serverSecret: SECRET }))
}

test('bodies are kept for whoever has the server secret, and lie on the disk sealed, for one user alone', async (t) => {
  const dir = folder(t)
  const [entry] = await kept(dir, [{ request: '{"prompt":"the quick fox"}', reply: ['{"text":"jum', 'ps"}'] }])
  assert.deepEqual(
    [entry?.request.text, entry?.reply.text, entry?.status, entry?.outcome],
    ['{"prompt":"the quick fox"}', '{"text":"jumps"}', 200, 'completed'],
  )
  const [name = ''] = readdirSync(dir)
  assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
  assert.ok(!readFileSync(join(dir, name), 'latin1').includes('fox'))
  assert.deepEqual(await Array.fromAsync(readBodies({ dir, serverSecret: Buffer.alloc(32, 4) })), [])
})

test('what is longer than is kept is cut between characters, and says so', async (t) => {
  const [entry] = await kept(folder(t), [
    { request: 'é'.repeat(500), requestType: 'text/plain', reply: ['€'.repeat(3000)], replyType: 'text/plain' },
  ])
  assert.deepEqual([entry?.request.text, entry?.request.isCut, entry?.request.bytes], ['é'.repeat(100), true, 1000])
  assert.deepEqual([entry?.reply.text, entry?.reply.isCut, entry?.reply.bytes], ['€'.repeat(66), true, 9000])
})

test('text is never cut inside a character, and never grows, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, most) => {
      const begun = beginningOf(text.toWellFormed(), most)
      assert.ok(Buffer.byteLength(begun) <= most && text.toWellFormed().startsWith(begun))
      assert.ok(most - Buffer.byteLength(begun) < 4 || begun === text.toWellFormed())
    }),
  )
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.ok(textOf(bytes).isWellFormed() && !textOf(bytes).includes('\0'))))
})

test('secrets, addresses and card numbers are taken out wherever they stand, cut in two by nothing', async (t) => {
  const secrets = [
    'sk-abcdefghijklmnop1234',
    'eyJhbGciOiJ9.eyJzdWIiOiIx.c2ln',
    'ada@example.com',
    '4111 1111 1111 1111',
    'hunter2',
    'Ada L.',
  ]
  const request = JSON.stringify({
    key: secrets[0],
    a: `Bearer ${secrets[1]}`,
    b: secrets[2],
    c: secrets[3],
    password: secrets[4],
    patient: secrets[5],
    n: '4111111111111112',
  })
  const padded = `${' '.repeat(SETTINGS.bodyBytesMax - 12)}sk-abcdefghijklmnop1234`
  const entries = await kept(folder(t), [{ request, reply: [padded], replyType: 'text/plain' }], { bodyBytesMax: 1000 })
  for (const secret of secrets) assert.ok(!JSON.stringify(entries).includes(secret), secret)
  // What only looks like a card is none.
  assert.ok(entries[0]?.request.text?.includes('4111111111111112'))
  const [cut] = await kept(folder(t), [{ request: padded, requestType: 'text/plain', reply: [] }])
  assert.ok(!cut?.request.text?.includes('sk-a'), 'the beginning of a secret that is cut')
})

test('an address that a stream says in pieces is taken out: what is kept of a stream is put together', async (t) => {
  const piece = (text: string): string => `data: {"choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}}}]}\n\n`
  const [chat, responses] = await kept(folder(t), [
    { request: '{}', reply: ['Write to ada', '@', 'example', '.com.'].map(piece), replyType: 'text/event-stream; charset=utf-8' },
    {
      request: '{}',
      reply: ['data: {"type":"response.output_text.delta","output_index":0,"delta":"a"}\n\n'],
      replyType: 'text/event-stream',
    },
  ])
  assert.deepEqual([chat?.reply.text, chat?.reply.isAssembled], ['choice 0: Write to [redacted].', true])
  assert.equal(responses?.reply.text, 'response.output_text.delta 0: a')
})

test('sound, pictures and compressed bytes are not kept, only how many they were', async (t) => {
  const entries = await kept(folder(t), [
    { request: '{}', reply: [Buffer.from([255, 0, 1])], replyType: 'audio/mpeg' },
    { request: '{}', reply: ['zipped'], isEncoded: true },
  ])
  assert.deepEqual(
    entries.map(({ reply }) => [reply.text, reply.bytes]),
    [
      [undefined, 3],
      [undefined, 6],
    ],
  )
})

test('who is in the sample is decided by our id, and about as many are as were asked for', () => {
  const ids = Array.from({ length: 20_000 }, newId)
  const share = ids.filter((id) => isSampled(id, 100_000)).length / ids.length
  assert.ok(share > 0.08 && share < 0.12, String(share))
  assert.ok(ids.every((id) => isSampled(id, 1_000_000) && !isSampled(id, 0)))
  assert.ok(ids.every((id) => isSampled(id, 100_000) === isSampled(id, 100_000)))
})

test('what is too old goes, and the oldest where there is too much; files of others stay', (t) => {
  const dir = folder(t)
  const log = new BodyLog({ dir, writer: 'w', serverSecret: SECRET, settings: SETTINGS, logger: silentLogger, meters: createMeters() })
  t.after(() => log[Symbol.asyncDispose]())
  const put = (name: string, bytes: number): void => writeFileSync(join(dir, name), 'x'.repeat(bytes))
  rmSync(dir, { recursive: true, force: true })
  // The folder is made by the first entry; here by hand.
  mkdirSync(dir)
  put('2026-11-01T10.w.bodies', 10)
  put('2026-11-02T10.w.bodies', 50)
  put('2026-11-02T11.v.bodies', 50)
  put('2026-11-02T11.w.bodies', 50)
  put('notes.txt', 500)
  const now = Date.parse('2026-11-02T12:30:00Z')
  assert.equal(removeOld(dir, { now, retentionMs: 7_200_000, diskBytesMax: 100 }), 2)
  assert.deepEqual(readdirSync(dir).toSorted(), ['2026-11-02T11.v.bodies', '2026-11-02T11.w.bodies', 'notes.txt'])
  assert.equal(removeOld(dir, { now: now + 86_400_000, retentionMs: 7_200_000, diskBytesMax: 100 }), 2)
})

test('a line that was cut or changed is told, and keeps nobody from the others', async (t) => {
  const dir = folder(t)
  await kept(dir, [
    { request: '"one"', reply: [] },
    { request: '"two"', reply: [] },
  ])
  const path = join(dir, readdirSync(dir)[0] ?? '')
  const [first = '', second = ''] = readFileSync(path, 'latin1').split('\n')
  // Under the id of another, and cut off.
  writeFileSync(path, `${second.slice(0, 36)}${first.slice(36)}\n${second}\n${second.slice(0, 80)}`)
  const told: string[] = []
  const entries = await Array.fromAsync(readBodies({ dir, serverSecret: SECRET, onUnreadable: (where) => told.push(where) }))
  assert.deepEqual([entries.map(({ request }) => request.text), told], [['"two"'], [path, path]])
})

test('eraseBodies() takes out what one credential said, and nothing of others', async (t) => {
  const dir = folder(t)
  await kept(
    dir,
    ['a', 'b', 'a'].map((authId) => ({ request: '{}', reply: [], authId })),
  )
  assert.equal(await eraseBodies({ dir, serverSecret: SECRET, authId: 'a' }), 2)
  assert.deepEqual(
    (await Array.fromAsync(readBodies({ dir, serverSecret: SECRET }))).map(({ authId }) => authId),
    ['b'],
  )
  assert.equal(await eraseBodies({ dir, serverSecret: SECRET, authId: 'b' }), 1)
  assert.deepEqual(readdirSync(dir), [])
})

test('a folder that cannot be written costs no request anything: what is lost is counted', async (t) => {
  const dir = folder(t)
  writeFileSync(dir, 'a file stands where the folder should be')
  const meters = createMeters()
  const log = new BodyLog({ dir, writer: 'w', serverSecret: SECRET, settings: SETTINGS, logger: silentLogger, meters })
  const meta = { intent: { eventId: newId(), startedAt: Date.now(), authId: 'a' }, head: { headers: [] }, body: Buffer.from('x') }
  for (let index = 0; index < 300; index += 1) log.follow(meta, 1_000_000)?.end('completed')
  await log[Symbol.asyncDispose]()
  const text = meters.render()
  assert.match(text, /ascribe_gateway_bodies_total\{result="dropped"\} 44/)
  assert.match(text, /ascribe_gateway_bodies_total\{result="failed"\} 256/)
})

test('redaction takes no time that grows faster than the text', () => {
  const redact = createRedactor(['secrets', 'emails', 'cards'], [])
  for (const hostile of [
    'a'.repeat(300_000),
    '"password":"'.repeat(25_000),
    '1 '.repeat(150_000),
    'a@'.repeat(150_000),
    '-----BEGIN PRIVATE KEY-----'.repeat(10_000),
  ])
    assert.equal(typeof redact(hostile), 'string')
})
