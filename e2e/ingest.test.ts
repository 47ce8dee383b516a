import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { OpenMeter } from '@openmeter/sdk'
import { CloudEvent, HTTP, Mode, emitterFor, httpTransport } from 'cloudevents'
import type { Message } from 'cloudevents'
import { run } from './support/process.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Event, Product, Statement } from './support/product.ts'

// The official clients of OpenMeter and of CloudEvents, unmodified, against the whole product.

const dir = temporaryDir()
let product: Product
let key: string
let openmeter: OpenMeter

const CONFIG = `
ingest:
  events:
    - type: prompt
      resource_id: playground
      model: $.model
      subject: user
      meters:
        input_tokens: $.tokens
        output_tokens: { path: $.output, optional: true }
`
const PRICES = `version: 1
base_models:
  gpt-large: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }
`

before(async () => {
  writeFileSync(join(dir.path, 'ascribe.yaml'), CONFIG)
  writeFileSync(join(dir.path, 'prices.yaml'), PRICES)
  product = await up(dir.path, '--prices', join(dir.path, 'prices.yaml'))
  const scopes = ['--scope', 'usage:write', 'billing:read']
  key = (await product.cli<{ key: string }>('keys', 'create', '--org', product.ready.organization.id, ...scopes)).key
  openmeter = new OpenMeter({ baseUrl: product.ready.api, apiKey: key })
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

const data = { model: 'gpt-large', tokens: '1000', output: 10 }
const eventOf = (id: string): Event | undefined => found.find(({ request_id: requestId }) => requestId === id)
let found: readonly Event[] = []

async function statementWith(isThere: (statement: Statement) => boolean): Promise<Statement> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const statement = await product.statement()
    if (isThere(statement)) return statement
    assert.ok(Date.now() < deadline, JSON.stringify(statement))
  }
}

test('@openmeter/sdk ingests one event and a batch, each once, and reads them back', async () => {
  const event = { id: 'om-1', type: 'prompt', subject: 'ada', data, time: new Date() }
  await openmeter.events.ingest(event)
  await openmeter.events.ingest([event, { ...event, id: 'om-2' }, { type: 'prompt', subject: 'ada', data }])
  found = await product.eventsUntil(3)
  assert.deepEqual(
    [eventOf('om-1')?.user_id, eventOf('om-1')?.meters, eventOf('om-1')?.provenance],
    ['ada', { input_tokens: 1000, output_tokens: 10 }, 'reported'],
  )
  const { total, lines } = await statementWith((statement) => statement.total !== '0')
  assert.equal(total, '0.00306')
  assert.deepEqual(
    lines.map(({ model, meter, quantity }) => [model, meter, quantity]),
    [
      ['gpt-large', 'input_tokens', 3000],
      ['gpt-large', 'output_tokens', 30],
    ],
  )
  const listed = (await openmeter.events.list({ limit: 2 })) ?? []
  assert.deepEqual([listed.length, listed[0]?.event.type, listed[0]?.ingestedAt instanceof Date], [2, 'prompt', true])
  const usage = await openmeter.meters.query('input_tokens', { windowSize: 'DAY', from: new Date(Date.now() - 86_400_000) })
  assert.equal(
    usage?.data.reduce((sum, { value }) => sum + value, 0),
    3000,
  )
  const ofKey = await openmeter.meters.query('input_tokens', { subject: [lines[0]?.auth_id ?? ''] })
  assert.deepEqual(
    ofKey?.data.map(({ value, subject }) => [value, subject]),
    [[3000, lines[0]?.auth_id]],
  )
})

test('@openmeter/sdk throws what can be mended, and is not troubled by a conflict, which is set aside', async () => {
  await assert.rejects(openmeter.events.ingest({ type: 'unheard-of', subject: 'ada', data }), { status: 400 })
  await assert.rejects(
    new OpenMeter({ baseUrl: product.ready.api, apiKey: 'wrong' }).events.ingest({ type: 'prompt', subject: 'a', data }),
    {
      status: 401,
    },
  )
  const other = { id: 'om-2', type: 'prompt', subject: 'ada', data: { ...data, tokens: '1' } }
  const report = (await openmeter.events.ingest(other)) as unknown as { readonly conflicting: number }
  assert.equal(report.conflicting, 1)
  const { stdout } = await run(['events', 'quarantine', '--json', '--data', dir.path])
  assert.match(stdout, /"tokens\\":\\"1\\"/)
})

test('cloudevents ingests in binary and in structured mode; two events without a list are refused', async () => {
  const before = (await product.events()).length
  const transport = httpTransport(`${product.ready.api}/v1/events`)
  const headers = { authorization: `Bearer ${key}` }
  const event = (id: string): CloudEvent<unknown> => new CloudEvent({ id, source: '/billing', type: 'prompt', subject: 'grace', data })
  await emitterFor(transport)(event('ce-binary'), { headers })
  await emitterFor(transport, { mode: Mode.STRUCTURED })(event('ce-structured'), { headers })
  found = await product.eventsUntil(before + 2)
  assert.deepEqual(
    ['ce-binary', 'ce-structured'].map((id) => [eventOf(id)?.user_id, eventOf(id)?.meters]),
    [
      ['grace', { input_tokens: 1000, output_tokens: 10 }],
      ['grace', { input_tokens: 1000, output_tokens: 10 }],
    ],
  )
  const send = async (message: Message, type?: string): Promise<number> => {
    const reply = await fetch(`${product.ready.api}/v1/events`, {
      method: 'POST',
      headers: { ...(message.headers as Record<string, string>), ...headers, ...(type !== undefined && { 'content-type': type }) },
      body: String(message.body),
    })
    return reply.status
  }
  // The package makes `{…},{…}` of a list, which is no JSON: nobody guesses what was meant.
  const list = HTTP.structured([event('ce-a'), event('ce-b')] as unknown as CloudEvent<unknown>)
  assert.deepEqual([await send(list), await send(list, 'application/cloudevents-batch+json')], [400, 400])
  // The same event again, in the other mode.
  const again = eventOf('ce-binary')
  assert.ok(again !== undefined)
  assert.equal((await product.events()).length, before + 2)
})
