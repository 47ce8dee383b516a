import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import OpenAI, { RateLimitError } from 'openai'
import { temporaryDir, up } from './support/product.ts'
import type { Product } from './support/product.ts'
import { run } from './support/process.ts'

const dir = temporaryDir()
let product: Product
let client: OpenAI
before(async () => {
  product = await up(dir.path)
  client = new OpenAI({ baseURL: `${product.ready.gateway}/v1`, apiKey: product.ready.key, maxRetries: 0 })
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

test('a request id that comes again is billed again: every record of it is on the statement', async () => {
  const chat = { model: 'sandbox-small', messages: [{ role: 'user' as const, content: 'hello' }], max_tokens: 5 }
  const headers = { 'X-Request-Id': 'the-same' }
  for (let times = 0; times < 3; times += 1) {
    const { response } = await client.chat.completions.create(chat, { headers }).withResponse()
    assert.equal(response.headers.get('x-request-id'), 'the-same')
  }
  const events = await product.eventsUntil(3)
  assert.deepEqual([new Set(events.map((event) => event.event_id)).size, new Set(events.map((event) => event.request_id)).size], [3, 1])
  const { lines } = await product.statement()
  const output = lines.filter(({ meter }) => meter === 'output_tokens').reduce((sum, { quantity }) => sum + quantity, 0)
  assert.equal(
    output,
    events.reduce((sum, event) => sum + (event.completion_tokens ?? 0), 0),
  )
})

test('terms of a key are in force when the command returns, stand in the list, and in the log of its organization', async () => {
  const { auth_id: authId, organization } = product.ready
  assert.deepEqual(await product.cli('keys', 'terms', authId, '--max-concurrent', '1', '--abort', 'cancel'), {
    outcome: 'set',
    scope: 'credential',
    subject: authId,
  })
  const long = { model: 'sandbox-small', messages: [{ role: 'user' as const, content: 'hello' }], max_tokens: 400, stream: true as const }
  const open = await client.chat.completions.create({ ...long, sandbox: { tokens: 400, tokenDelayMs: 20 } } as typeof long)
  const pieces = open[Symbol.asyncIterator]()
  // What has been delivered when it leaves is not free: the first events only name who speaks.
  for (let content = 0; content < 3;) {
    // oxlint-disable-next-line no-await-in-loop -- as they come
    const { value, done } = await pieces.next()
    assert.equal(done, false)
    if ((value?.choices[0]?.delta.content ?? '') !== '') content += 1
  }
  const refused = await client.chat.completions.create({ ...long, stream: false }).then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(refused instanceof RateLimitError)
  assert.equal(refused.code, 'concurrency_limit_exceeded')
  open.controller.abort()
  const record = (await product.eventsUntil(4)).at(-1)
  assert.deepEqual([record?.outcome, record?.provenance], ['aborted', 'estimated'])
  assert.ok((record?.completion_tokens ?? 0) > 0 && (record?.completion_tokens ?? 400) < 400, 'cut at once, and not for free')
  const listed = await product.cli<{ auth_id: string; terms: unknown }[]>('keys', 'list')
  assert.deepEqual(listed.find((each) => each.auth_id === authId)?.terms, { abort: 'cancel', max_concurrent: 1 })
  const { stdout } = await run(['audit', 'export', '--org', organization.id, '--data', dir.path])
  assert.match(stdout, /terms_set/)
})
