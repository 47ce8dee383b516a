import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { listQuarantine } from '@ascribe/ledger'
import { BATCH_MAX, BODY_SIZE, NOON, createSender, event, openEventsApi, rateAll, recordsOf, totalOf } from './events-support.ts'
import type { Answer } from './events-support.ts'
import { openLedger } from './support.ts'

const db = await openLedger()
const api = await openEventsApi(db)
after(async () => {
  await api[Symbol.asyncDispose]()
  await db[Symbol.asyncDispose]()
})

const BATCH = 'application/cloudevents-batch+json'
const JSON_TYPE = 'application/json'
const json = JSON.stringify
const codeOf = ({ status, body }: Answer): unknown => [status, (body as { code?: string } | undefined)?.code]
const idsOf = async (): Promise<readonly string[]> => (await recordsOf(db)).map(({ requestId }) => requestId)

test('POST /v1/events answers 204 after the commit, to one event and to a batch, in every mode', async () => {
  const acme = await createSender(db, 'Acme')
  const one = (id: string): object => event(id, { subject: acme.id })
  const binary = {
    'ce-specversion': '1.0',
    'ce-id': 'binary',
    'ce-source': 'meter%2D1',
    'ce-type': 'vm.usage',
    'ce-subject': acme.id,
    'ce-time': new Date(NOON).toISOString(),
  }
  const answers = [
    await api.post(json(one('structured'))),
    await api.post(json(one('charset')), { type: 'application/cloudevents+json; charset=UTF-8' }),
    await api.post(json([one('batch-1'), one('batch-2')]), { type: BATCH }),
    await api.post(json(one('json')), { type: JSON_TYPE }),
    await api.post(json([one('list-1'), one('list-2')]), { type: JSON_TYPE, path: '/api/v1/events' }),
    await api.post(json({ vm: 'vm-1', cpu: '1000' }), { type: JSON_TYPE, headers: binary }),
    await api.post('[]', { type: BATCH }),
    await api.post(json(one('key')), { key: acme.key }),
    await api.post(
      json({ ...one('packed'), data: undefined, datacontenttype: JSON_TYPE, data_base64: btoa(json({ vm: 'vm-1', cpu: 1000 })) }),
    ),
  ]
  assert.deepEqual(
    answers.map(({ status, text }) => [status, text]),
    answers.map(() => [204, '']),
  )
  const ids = ['structured', 'charset', 'batch-1', 'batch-2', 'json', 'list-1', 'list-2', 'binary', 'key', 'packed']
  assert.deepEqual((await idsOf()).toSorted(), ids.toSorted())
  await rateAll(db)
  assert.equal(await totalOf(db, acme.id), '0.01')
})

test('POST /v1/events tells 409 of one event whose name has another content, and 200 with a report of a batch', async () => {
  const { id: subject } = await createSender(db, 'Bravo')
  const first = event('again', { subject })
  const other = event('again', { subject, data: { vm: 'vm-1', cpu: 1 } })
  assert.equal((await api.post(json(first))).status, 204)
  assert.equal((await api.post(json(first))).status, 204)
  // In another mode it is the same event.
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': 'again',
    'ce-source': 'meter-1',
    'ce-type': 'vm.usage',
    'ce-subject': subject,
    'ce-time': new Date(NOON).toISOString(),
  }
  assert.equal((await api.post('{"cpu":1000,"vm":"vm-1"}', { type: JSON_TYPE, headers })).status, 204)

  const refused = await api.post(json(other))
  assert.deepEqual(codeOf(refused), [409, 'conflicting_event'])
  assert.match(refused.text, /source \\"meter-1\\" and id \\"again\\" and other content/)
  const batch = await api.post(json([event('new', { subject }), first, other]), { type: BATCH })
  const report = batch.body as { events: { status: string; event_id: string }[] }
  assert.deepEqual(
    [batch.status, { ...report, events: report.events.map(({ status }) => status) }],
    [200, { accepted: 1, duplicates: 1, conflicting: 1, events: ['accepted', 'duplicate', 'conflicting'] }],
  )
  assert.equal(report.events[1]?.event_id, report.events[2]?.event_id)
  const [set] = await listQuarantine(db)
  assert.deepEqual(JSON.parse(set?.payload ?? ''), other)
  const asked = await api.post(json([first]), { type: BATCH, headers: { prefer: 'respond-async, return=representation' } })
  assert.deepEqual([asked.status, (asked.body as { duplicates: number }).duplicates], [200, 1])
  await rateAll(db)
  assert.equal(await totalOf(db, subject), '0.002')
})

test('POST /v1/events refuses a batch with an event that can never be a record, and names each', async () => {
  const before = await idsOf()
  const { id: subject } = await createSender(db, 'Charlie')
  const answer = await api.post(json([event('c-1', { subject }), event('c-2', { subject, type: 'other' }), 'nonsense']), { type: BATCH })
  const { requestId: _, ...refusal } = answer.body as Record<string, unknown>
  assert.deepEqual(refusal, {
    reason: 'validation',
    code: 'invalid_request',
    message: 'Cannot take the batch, nothing of it was stored: event 1 there is no rule for events of type "other", and 1 more',
    events: [
      { index: 1, reason: 'there is no rule for events of type "other"' },
      { index: 2, reason: 'is not a JSON object' },
    ],
  })
  const one = await api.post(json(event('c-1', { subject, data: { vm: 'v', cpu: 0.5 } })))
  assert.deepEqual(codeOf(one), [400, 'invalid_request'])
  assert.match(one.text, /\$\.cpu, which is meter input_tokens, has more than 0 decimal places; it is never rounded/)
  assert.deepEqual(await idsOf(), before)
})

test('POST /v1/events answers 400 to what is no JSON, two events without a list included', async () => {
  const two = `${json(event('x-1'))},${json(event('x-2'))}`
  for (const body of [two, '', '{', '[', `${'['.repeat(70)}${']'.repeat(70)}`, Uint8Array.of(0x7b, 0xff, 0x7d)]) {
    for (const type of [BATCH, 'application/cloudevents+json', JSON_TYPE]) {
      assert.deepEqual(codeOf(await api.post(body, { type })), [400, 'invalid_request'], `${type}: ${String(body).slice(0, 20)}`)
    }
  }
  assert.deepEqual(codeOf(await api.post(json(event('x')), { type: BATCH })), [400, 'invalid_request'])
  assert.deepEqual(codeOf(await api.post('{}', { type: JSON_TYPE, headers: { 'ce-specversion': '1.0', 'ce-id': '%zz' } })), [
    400,
    'invalid_request',
  ])
})

test('POST /v1/events answers 413 to what is too much, and 415 to what it cannot read', async () => {
  const large = json(event('large', { data: { vm: 'x'.repeat(BODY_SIZE), cpu: 1 } }))
  assert.deepEqual(codeOf(await api.post(large)), [413, 'body_too_large'])
  const many = Array.from({ length: BATCH_MAX + 1 }, (_, index) => event(`many-${index}`))
  assert.deepEqual(codeOf(await api.post(json(many), { type: BATCH })), [413, 'body_too_large'])
  for (const type of ['text/plain', 'application/xml', 'application/cloudevents+json; charset=latin1', 'application/avro']) {
    assert.deepEqual(codeOf(await api.post(json(event('type')), { type })), [415, 'unsupported_media_type'], type)
  }
  const encoded = await api.post(json(event('type')), { headers: { 'content-encoding': 'gzip' } })
  assert.deepEqual(codeOf(encoded), [415, 'unsupported_media_type'])
  const headers = { 'ce-specversion': '1.0', 'ce-id': 'b', 'ce-source': 's', 'ce-type': 'vm.usage' }
  assert.deepEqual(codeOf(await api.post('<vm/>', { type: 'application/xml', headers })), [415, 'unsupported_media_type'])
})

test('POST /v1/events lets nobody in without a token or a key with usage:write, whatever the body', async () => {
  const { key } = await createSender(db, 'Delta', ['billing:read', 'inference'])
  for (const body of [json(event('d')), 'nonsense', 'x'.repeat(BODY_SIZE * 2)]) {
    assert.deepEqual(codeOf(await api.post(body, { key: 'wrong' })), [401, 'unauthenticated'])
    assert.deepEqual(codeOf(await api.post(body, { key })), [403, 'insufficient_scope'])
  }
  // A token of the installation writes, and reads nothing.
  assert.deepEqual(codeOf(await api.get('/api/v1/events', 'platform-token-0123456789')), [401, 'unauthenticated'])
})

test('POST /v1/events keeps a key within its organization, and says no more of others than of nobody', async () => {
  const [echo, foxtrot] = [await createSender(db, 'Echo'), await createSender(db, 'Foxtrot')]
  const bodies = [foxtrot.id, foxtrot.authId, 'nobody'].map((subject) => api.post(json(event('e', { subject })), { key: echo.key }))
  const answers = (await Promise.all(bodies)).map(({ status, text }) => [status, text.replace(/"requestId":"[^"]*"/, '')])
  assert.deepEqual(answers, [answers[0], answers[0], answers[0]])
  assert.equal(answers[0]?.[0], 400)
  assert.equal((await api.post(json(event('e', { type: 'ping', subject: 'ada', data: undefined })), { key: echo.key })).status, 204)
  const record = (await recordsOf(db)).find(({ requestId }) => requestId === 'e')
  assert.deepEqual([record?.authId, record?.userId, record?.claimedOrganizationId], [echo.authId, 'ada', echo.id])
})

test('lago-538: what GET /api/v1/events shows is in the totals, and the other way round', async () => {
  const [golf, hotel] = [await createSender(db, 'Golf'), await createSender(db, 'Hotel')]
  for (const [index, cpu] of [100, 20, 3].entries()) {
    const time = new Date(NOON + index * 3_600_000).toISOString()
    assert.equal((await api.post(json(event(`g-${index}`, { time, data: { vm: 'vm-1', cpu } })), { key: golf.key })).status, 204)
  }
  await rateAll(db)
  const shown = (await api.get('/api/v1/events?limit=10', golf.key)).body as {
    event: { id: string; subject: string; data: { input_tokens: number } }
  }[]
  assert.deepEqual(
    shown.map(({ event: { id, subject, data } }) => [id, subject, data.input_tokens]),
    [
      ['g-2', golf.authId, 3],
      ['g-1', golf.authId, 20],
      ['g-0', golf.authId, 100],
    ],
  )
  const sum = shown.reduce((total, { event: { data } }) => total + data.input_tokens, 0)
  const meter = async (query: string, key = golf.key): Promise<unknown> =>
    ((await api.get(`/api/v1/meters/input_tokens/query${query}`, key)).body as { data: { value: number }[] }).data.map(({ value }) => value)
  assert.deepEqual([await meter(''), await meter('?windowSize=HOUR'), await meter('?windowSize=MONTH')], [[sum], [100, 20, 3], [sum]])
  assert.deepEqual(await meter(`?subject=${golf.authId}&windowSize=DAY`), [sum])
  assert.deepEqual([await meter('?subject=other'), await meter('', hotel.key)], [[], []])
  assert.equal(await totalOf(db, golf.id), '0.000123')
  assert.deepEqual((await api.get('/api/v1/events', hotel.key)).body, [])
  assert.deepEqual(((await api.get(`/api/v1/events?subject=${golf.authId}&id=g-1`, golf.key)).body as unknown[]).length, 1)
})

test('GET /api/v1/meters/{meter}/query refuses what it does not know', async () => {
  const { key } = await createSender(db, 'India')
  for (const query of ['windowSize=MINUTE', 'windowTimeZone=Europe/Berlin', 'from=yesterday', 'groupBy=colour', 'clientId=1']) {
    assert.deepEqual(codeOf(await api.get(`/api/v1/meters/input_tokens/query?${query}`, key)), [400, 'invalid_request'], query)
  }
  assert.deepEqual(codeOf(await api.get('/api/v1/events?limit=101', key)), [400, 'invalid_request'])
  const empty = await api.get('/api/v1/meters/nothing/query?groupBy=model&groupBy=subject', key)
  assert.deepEqual(empty.body, { data: [] })
})
