import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { UsageRecord } from '@ascribe/usage'
import { IDENTITY, ask, rawUpstream, startTestGateway, until } from './support.ts'
import type { Answer } from './support.ts'

// What real engines sent, byte for byte as it was on the wire, broken off. EVERY_OFFSET=1 breaks it off after every single byte: some minutes.

const FOLDER = new URL('../../../packages/usage/test/recorded/', import.meta.url)
const STRIDE = process.env['EVERY_OFFSET'] === '1' ? 1 : 41
const AT_ONCE = 16
const ID = 'X-Request-Id'

type Recorded = { readonly path: string; readonly body: string; readonly reply: Buffer }

/** The first line names the target, the second the request; the reply follows as it came. */
function readRecorded(name: string): Recorded {
  const text = readFileSync(new URL(name, FOLDER))
  const [target = '', request = ''] = text.toString('latin1').split('\n', 2)
  const cut = text.indexOf('\n--- connection closed')
  return {
    path: target.slice(target.indexOf('/v1/')),
    body: request.slice(2),
    reply: text.subarray(target.length + request.length + 2, cut < 0 ? text.length : cut),
  }
}

/** Asks through a gateway whose upstream says so many bytes of the reply and then resets the connection. */
async function brokenOff(t: TestContext, recorded: Recorded, offsets: readonly number[]): Promise<void> {
  const { path, body, reply } = recorded
  const upstream = await rawUpstream(t, (wire) => {
    const offset = Number(/x-offset: (\d+)/i.exec(wire.text)?.[1])
    // What was said before a reset may be lost with it: the reset comes once it has been taken.
    wire.socket.write(reply.subarray(0, offset), () => setImmediate(() => wire.socket.resetAndDestroy()))
  })
  const world = await startTestGateway(t, { upstream: upstream.url })
  const answers = new Map<string, Answer>()
  const left = [...offsets]
  const next = async (): Promise<void> => {
    for (let offset = left.pop(); offset !== undefined; offset = left.pop()) {
      const id = `offset-${offset}`
      // oxlint-disable-next-line no-await-in-loop -- so many at once, and no more
      answers.set(id, await ask(world.url, { path, body, headers: { ...IDENTITY, [ID]: id, 'X-Offset': String(offset) } }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
  const records = await world.records(offsets.length)
  const intents = await world.intents()
  await until('every intent is settled', () => intents.length === records.length)
  assert.equal(new Set(records.map(({ eventId }) => eventId)).size, offsets.length)
  for (const record of records) assertRight(record, answers.get(record.requestId) ?? assert.fail(record.requestId), recorded)
}

function assertRight(record: UsageRecord, answer: Answer, { reply }: Recorded): void {
  const offset = Number(record.requestId.slice('offset-'.length))
  const head = reply.indexOf('\r\n\r\n') + 4
  const what = `${offset} of ${reply.length}: ${JSON.stringify(record)}`
  const ok = reply.toString('latin1', 9, 12) === '200'
  // A reset may overtake what was said before it: the head may be lost, and never the record.
  if (offset < head) assert.equal(record.outcome, 'upstream_error', what)
  else if (!ok) assert.equal(record.outcome, 'upstream_error', what)
  else if (offset < reply.length) assert.ok(['upstream_reset', 'upstream_error', 'completed'].includes(record.outcome), what)
  if (offset < head) assert.equal(answer.status, 502, what)
  // Whoever got the whole reply is settled as such, and whoever did not never sees a whole one.
  if (answer.whole && answer.status === 200) assert.equal(record.outcome, 'completed', what)
  if (record.outcome === 'upstream_reset') assert.ok(!answer.whole, what)
  // An event that lacks its end is none (WHATWG, server-sent events, 9.2.6), and no client shows it.
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream') === true
  const shown = isStream ? answer.text.slice(0, answer.text.search(/\r?\n\r?\n(?![^]*\r?\n\r?\n)/) + 1) : answer.text
  const hasContent = /"(?:content|text|delta|thinking)":\s*"[^"]/.test(shown) && ok
  if (hasContent) assert.ok(record.provenance !== 'unknown' && (record.completionTokens ?? 0) > 0, what)
  const { promptTokens, completionTokens, meters } = record
  if (promptTokens !== null && completionTokens !== null)
    assert.equal(
      Object.values(meters).reduce((total, each) => total + each, 0),
      promptTokens + completionTokens,
      what,
    )
}

for (const [index, name] of readdirSync(FOLDER)
  .filter((file) => readRecorded(file).body.endsWith('}'))
  .entries())
  test(`an engine that breaks off anywhere leaves one record, and nothing that was delivered is free: ${name}`, async (t) => {
    const recorded = readRecorded(name)
    const offsets = Array.from({ length: recorded.reply.length }, (_, offset) => offset).filter(
      (offset) => (offset + index) % STRIDE === 0 || offset > recorded.reply.length - 4,
    )
    await brokenOff(t, recorded, offsets)
  })
