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

type Change = {
  readonly organization_id: string | null
  readonly meter: string
  readonly amount_before: string
  readonly amount_after: string
}
type Effect = { readonly hours: number; readonly changes: readonly Change[] }
type Act = { readonly kind: string; readonly reason: string; readonly actor: string; readonly brought: number; readonly superseded: number }

test('ascribe events backfill, amend and void move the statement by what their dry run said, and are written down', async () => {
  const { id } = await product.cli<{ id: string }>('orgs', 'create', '--name', 'Imported')
  await product.cli('keys', 'map', '--auth-id', 'old-1', '--org', id)
  const line = (requestId: string, output: number): string =>
    JSON.stringify({
      request_id: requestId,
      auth_id: 'old-1',
      resource_id: 'd',
      model: 'gpt-large',
      prompt_tokens: 0,
      cached_tokens: 0,
      completion_tokens: output,
      timestamp_unix_ms: Date.now() - 1000,
    })
  const file = join(dir.path, 'old.ndjson')
  writeFileSync(file, `${line('old-a', 1000)}\n${line('old-b', 500)}\n`)
  const act = <Answer>(...args: readonly string[]): Promise<Answer> =>
    product.cli<Answer>('events', ...args, '--reason', 'migration', '--actor', 'ada')
  const total = async (): Promise<string> => (await product.statement(id)).total
  const after = ({ changes }: Effect): number => changes.reduce((sum, { amount_after: amount }) => sum + Number(amount), 0)

  const tried = await act<Effect & { readonly accepted: number }>('backfill', file, '--id', 'old', '--dry-run')
  assert.deepEqual([tried.accepted, await total()], [2, '0'])
  await act('backfill', file, '--id', 'old')
  assert.equal(await total(), '0.003')

  const [a, b] = (await product.events())
    .filter(({ auth_id: authId }) => authId === 'old-1')
    .toSorted((x, y) => (x.request_id < y.request_id ? -1 : 1))
  const amend = ['amend', a?.event_id ?? '', '--set', 'meters.output_tokens=2000']
  const amending = await act<Effect>(...amend, '--dry-run')
  assert.ok(amending.changes.every(({ meter }) => meter === 'output_tokens') && after(amending) > 0)
  const { replaced_by: replacement } = await act<{ readonly replaced_by: string }>(...amend)
  assert.equal(await total(), '0.005')
  await act('void', b?.event_id ?? '')
  assert.equal(await total(), '0.004')
  await act('backfill', '--id', 'old', '--undo')
  assert.equal(await total(), '0')

  const acts = await product.cli<readonly Act[]>('events', 'acts')
  assert.deepEqual(
    acts.map(({ kind, actor, reason, brought, superseded }) => [kind, actor, reason, brought, superseded]),
    [
      ['undo', 'ada', 'migration', 0, 1],
      ['void', 'ada', 'migration', 0, 1],
      ['amend', 'ada', 'migration', 1, 1],
      ['backfill', 'ada', 'migration', 2, 0],
    ],
  )
  const { stdout } = await run(['events', 'list', '--all', '--auth-id', 'old-1', '--json', '--data', dir.path])
  const all = stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { readonly superseded?: string; readonly event_id: string; readonly replaced_by?: string })
  assert.deepEqual(
    all.map(({ superseded }) => superseded).toSorted((x, y) => ((x ?? '') < (y ?? '') ? -1 : 1)),
    ['amend', 'undo', 'void'],
  )
  assert.equal(all.find(({ superseded }) => superseded === 'amend')?.replaced_by, replacement)
  // Without a reason nothing is done.
  const { code, stderr } = await run(['events', 'void', a?.event_id ?? '', '--data', dir.path])
  assert.deepEqual([code, /--reason/.test(stderr)], [2, true])
  const bad = join(dir.path, 'bad.ndjson')
  writeFileSync(bad, `${line('old-c', 1)}\nnonsense\n`)
  const refused = await run(['events', 'backfill', bad, '--id', 'bad', '--reason', 'x', '--data', dir.path])
  assert.deepEqual([refused.code, refused.stderr.includes(`${bad}:2: is not JSON`)], [2, true])
})
