import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, markRatedHours, rateDirtyHours } from '../src/index.ts'
import {
  BOOK,
  HOUR,
  MONTH,
  TEN,
  createCustomer,
  deliver,
  dumpDerived,
  assertSound,
  statementOf,
  openLedger,
  priceBook,
  rateAll,
  unknownRecord,
  usageRecord,
} from './support.ts'

test('rateDirtyHours() charges quantity × rate of each meter to the organization of the auth id', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [
    usageRecord({ meters: { input_tokens: 80, cached_input_tokens: 20, output_tokens: 7, reasoning_tokens: 3 } }),
    usageRecord({ startedAt: TEN + 2 * HOUR }),
    usageRecord({ startedAt: TEN + 2 * HOUR + 1, model: 'large' }),
  ])
  assert.deepEqual(await rateDirtyHours(db), { hours: 2, charges: 8, more: false })
  const line = { kind: 'usage', model: 'small', auth_id: 'auth-1' } as const
  const large = { ...line, model: 'large' }
  assert.deepEqual(await statementOf(db, id), {
    organization_id: id,
    month: MONTH,
    currency: 'USD',
    provisional: true,
    total: '0.001422',
    lines: [
      { ...large, meter: 'input_tokens', quantity: 100, rate: '0.00001', amount: '0.001' },
      { ...large, meter: 'output_tokens', quantity: 10, rate: '0.00002', amount: '0.0002' },
      { ...line, meter: 'cached_input_tokens', quantity: 20, rate: '0.0000001', amount: '0.000002' },
      { ...line, meter: 'input_tokens', quantity: 180, rate: '0.000001', amount: '0.00018' },
      { ...line, meter: 'output_tokens', quantity: 17, rate: '0.000002', amount: '0.000034' },
      { ...line, meter: 'reasoning_tokens', quantity: 3, rate: '0.000002', amount: '0.000006' },
    ],
    held: { unpriced: 0, unattributed: 0, unknown: 0 },
  })
  await assertSound(db)
})

test('rateDirtyHours() touches only dirty hours, and gives the same bytes when an hour is rated again', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord(), usageRecord({ startedAt: TEN + HOUR })])
  await rateAll(db)
  const before = await dumpDerived(db)
  const rows = async (): Promise<unknown> => (await db.query('select hour, xmin::text from charge order by hour, meter')).rows
  const versions = await rows()
  assert.deepEqual(await rateDirtyHours(db), { hours: 0, charges: 0, more: false })
  assert.deepEqual(await rows(), versions)
  assert.equal(await markRatedHours(db), 2)
  assert.deepEqual(await rateDirtyHours(db, { limit: 1 }), { hours: 1, charges: 2, more: true })
  assert.deepEqual(await rateDirtyHours(db, { signal: AbortSignal.abort() }), { hours: 0, charges: 0, more: true })
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  assert.notDeepEqual(await rows(), versions)
})

test('rateDirtyHours() rounds the sum of an hour once, half away from zero', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  // 0.0000000005 a token: half a nano.
  await applyPriceBook(
    db,
    priceBook({ text: 'version: 1\nbase_models:\n  small: { prompt: "0.0000000005", cached: "0", completion: "0" }\n' }),
  )
  await deliver(db, [usageRecord({ meters: { input_tokens: 1 } }), usageRecord({ meters: { input_tokens: 1 } })])
  await deliver(db, [usageRecord({ meters: { input_tokens: 1 }, startedAt: TEN + HOUR })])
  await rateAll(db)
  assert.deepEqual(
    (await statementOf(db, id)).lines.map(({ quantity, amount }) => [quantity, amount]),
    [[3, '0.000000002']],
  )
  await assertSound(db)
})

test('rateDirtyHours() charges a price of zero as zero, and holds what has no price', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: 'version: 1\nbase_models:\n  small: { prompt: "0", cached: "0", completion: "0" }\n' }))
  await deliver(db, [usageRecord(), usageRecord({ model: 'absent' })])
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.deepEqual(
    statement.lines.map(({ model, amount }) => [model, amount]),
    [
      ['small', '0'],
      ['small', '0'],
    ],
  )
  assert.deepEqual(statement.held, { unpriced: 1, unattributed: 0, unknown: 0 })
})

test('rateDirtyHours() holds a record whole when one of its meters has no price', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [
    usageRecord({ meters: { input_tokens: 5 } }),
    usageRecord({ meters: { input_tokens: 5, input_audio_tokens: 1 } }),
    usageRecord({ meters: { input_tokens: 5, input_audio_tokens: 0 } }),
  ])
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.deepEqual(
    statement.lines.map(({ meter, quantity }) => [meter, quantity]),
    [['input_tokens', 10]],
  )
  assert.equal(statement.held.unpriced, 1)
  await assertSound(db)
})

test('rateDirtyHours() charges meters beyond the common four, in groups of the same ones', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const text = BOOK.replace(
    'completion: "0.000002"',
    'completion: "0.000002", input_audio: "0.1", output_audio: "0.2", meters: { images_2: "1" }',
  )
  await applyPriceBook(db, priceBook({ text }))
  await deliver(db, [
    usageRecord({ meters: { input_tokens: 1, input_audio_tokens: 2 } }),
    usageRecord({ meters: { input_tokens: 10, input_audio_tokens: 20 } }),
    usageRecord({ meters: { input_tokens: 100, input_audio_tokens: 200, output_audio_tokens: 3 } }),
    usageRecord({ meters: { images_2: 4 } }),
    usageRecord({ meters: { output_tokens: 5, output_audio_tokens: 0 } }),
  ])
  await rateAll(db)
  assert.deepEqual(
    (await statementOf(db, id)).lines.map(({ meter, quantity, amount }) => [meter, quantity, amount]),
    [
      ['images_2', 4, '4'],
      ['input_audio_tokens', 222, '22.2'],
      ['input_tokens', 111, '0.000111'],
      ['output_audio_tokens', 3, '0.6'],
      ['output_tokens', 5, '0.00001'],
    ],
  )
  const { rows } = await db.query<{ record_count: bigint }>("select record_count from charge where meter = 'input_audio_tokens'")
  assert.deepEqual(rows, [{ record_count: 3n }])
  await assertSound(db)
})

test('rateDirtyHours() counts every record in exactly one state', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const failed = { outcome: 'upstream_error', status: 503 } as const
  await deliver(db, [
    usageRecord(),
    // Free: nothing was used, and we know it; or the upstream failed and reported nothing, whoever asked.
    usageRecord({ meters: { input_tokens: 0, output_tokens: 0 } }),
    usageRecord({ ...failed, provenance: 'unknown', meters: {} }),
    usageRecord({ ...failed, provenance: 'unknown', meters: {}, authId: 'nobody' }),
    // A path that costs nothing: not even when its process died, or nobody knows whose it is.
    usageRecord({ api: 'free', promptTokens: 0, cachedTokens: 0, completionTokens: 0, meters: {} }),
    unknownRecord({ api: 'free', authId: 'nobody' }),
    // A failure with usage is usage.
    usageRecord({ ...failed, meters: { input_tokens: 3 } }),
    unknownRecord(),
    usageRecord({ provenance: 'reported', meters: {} }),
    usageRecord({ outcome: 'aborted', provenance: 'unknown', meters: {} }),
    usageRecord({ model: 'absent' }),
    usageRecord({ authId: 'nobody' }),
    unknownRecord({ authId: 'nobody' }),
    usageRecord({ claimedOrganizationId: 'somebody-else' }),
    usageRecord({ claimedOrganizationId: id.toUpperCase() }),
    usageRecord({ claimedOrganizationId: id.replaceAll('-', '') }),
    usageRecord({ claimedOrganizationId: id, authId: 'nobody' }),
  ])
  await rateAll(db)
  const { rows } = await db.query('select state, sum(record_count)::integer as records from usage_hour group by state order by state')
  assert.deepEqual(rows, [
    { state: 'charged', records: 4 },
    { state: 'free', records: 5 },
    { state: 'unattributed', records: 4 },
    { state: 'unknown', records: 3 },
    { state: 'unpriced', records: 1 },
  ])
  assert.deepEqual((await statementOf(db, id)).held, { unpriced: 1, unattributed: 4, unknown: 3 })
  await assertSound(db)
})

test('a stream that was cut short before the engine named a model is priced by the model that was asked for (litellm-37734)', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const { model: _, ...nameless } = usageRecord({ modelAsked: 'large', meters: { output_tokens: 4 } })
  const again = (fields: object): ReturnType<typeof usageRecord> => ({ ...nameless, eventId: usageRecord().eventId, ...fields })
  await deliver(db, [
    again({ outcome: 'aborted', provenance: 'estimated' }),
    again({ outcome: 'completed', provenance: 'estimated' }),
    // Served as small, whatever was asked.
    usageRecord({ outcome: 'aborted', provenance: 'continuous', modelAsked: 'large', meters: { output_tokens: 1 } }),
    // A whole reply without a name: held, not guessed.
    again({ outcome: 'completed', provenance: 'reported' }),
  ])
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.deepEqual(
    statement.lines.map(({ model, quantity }) => [model, quantity]),
    [
      ['large', 8],
      ['small', 1],
    ],
  )
  assert.equal(statement.held.unpriced, 1)
  await assertSound(db)
})

test('a fine-tune is charged by the base model that its record names, one line for each rate', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: `${BOOK}fine_tune_premium: { policy: multiplier, factor: "2" }\n` }))
  const meters = { input_tokens: 1 }
  await deliver(db, [
    usageRecord({ model: 'ft:own', baseModel: 'small', meters }),
    usageRecord({ model: 'ft:own', baseModel: 'large', meters }),
    usageRecord({ model: 'ft:own', meters }),
    // Prices go by the model here, so the base models do not split the charge.
    usageRecord({ baseModel: 'small', meters }),
    usageRecord({ baseModel: 'large', meters }),
  ])
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.deepEqual(
    statement.lines.map(({ model, rate, quantity }) => [model, rate, quantity]),
    [
      ['ft:own', '0.000002', 1],
      ['ft:own', '0.00002', 1],
      ['small', '0.000001', 2],
    ],
  )
  assert.equal(statement.held.unpriced, 1)
  await assertSound(db)
})

test('usage without bounds on its text is rated: ids longer than an index entry', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  // Not compressible, as an index entry would be otherwise.
  const long = Array.from({ length: 4000 }, (_, index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))).join('')
  await deliver(db, [usageRecord({ resourceId: long, requestId: long, userId: long }), usageRecord({ authId: long, model: long })])
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.equal(statement.total, '0.00012')
  assert.equal(statement.held.unattributed, 1)
  await assertSound(db)
})

test('usage_hour, charge and period_quantity refuse what belongs to nobody, and nothing that they name can go', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  const unknown = "'00000000-0000-4000-8000-000000000000'"
  for (const table of ['usage_hour', 'charge']) {
    await assert.rejects(db.query(`update ${table} set organization_id = ${unknown}`), { sqlstate: '23503' })
    await assert.rejects(db.query(`update ${table} set price_sequence = 7`), { sqlstate: '23503' })
    const again = `create temporary table again as select * from ${table}; update again set organization_id = ${unknown}`
    await assert.rejects(db.query(`${again}; insert into ${table} select * from again`), { sqlstate: '23503' })
  }
  const quantity = `insert into period_quantity (hour, organization_id, auth_id, resource_id, model, meter, price_sequence, quantity, record_count, records_digest)
    select hour, ${unknown}, auth_id, resource_id, model, meter, price_sequence, quantity, record_count, records_digest from charge`
  await assert.rejects(db.query(quantity), { sqlstate: '23503' })
  await assert.rejects(db.query('delete from organization'), { sqlstate: '23001' })
  await assert.rejects(db.query('delete from price_version'), { sqlstate: '23001' })
})
