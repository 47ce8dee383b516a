import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { ApiErrorSchema } from '@ascribe/contract'
import { createApiKey } from '@ascribe/identity'
import type { Logger } from '@ascribe/kit'
import { revokeCredential } from '@ascribe/ledger'
import { openWired } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { MONTH, codeOf, createCustomer, createKey, openApi, openLedger, serverSecret, settle, timeless, usageRecord } from './support.ts'
import type { Customer, TestApi } from './support.ts'

let db: TestDatabase
let api: TestApi
let acme: Customer
let other: Customer

before(async () => {
  db = await openLedger()
  api = await openApi(db)
  acme = await createCustomer(db, 'Acme')
  other = await createCustomer(db, 'Other')
  await settle(db, [usageRecord({ authId: acme.billing.authId }), usageRecord({ authId: other.billing.authId })])
})

after(async () => {
  await api[Symbol.asyncDispose]()
  await db[Symbol.asyncDispose]()
})

const OPERATIONS = ['statement', 'usage-records']
const pathOf = (id: string, operation = 'statement', query = `?month=${MONTH}`): string => `/v1/organizations/${id}/${operation}${query}`

test('GET without a key that is in force is 401, and the answer never says why', async () => {
  const revoked = await createKey(db, acme.id, ['billing:read'])
  await revokeCredential(db, revoked.authId)
  const { key } = acme.billing
  const forged = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a')
  const authorizations = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Basic ${key}`,
    key,
    `Bearer ${key} ${key}`,
    `Bearer ${forged}`,
    `Bearer ${revoked.key}`,
    `Bearer ${createApiKey(serverSecret).key}`,
    'Bearer ask_000000000000_x',
    `Bearer ${'a'.repeat(9000)}`,
    'Bearer \u00e9\u00ff',
  ]
  for (const operation of OPERATIONS) {
    const replies = await Promise.all(
      authorizations.map((authorization) =>
        api.ask(pathOf(acme.id, operation), authorization === undefined ? {} : { headers: { authorization } }),
      ),
    )
    for (const reply of replies) {
      assert.deepEqual([reply.status, codeOf(reply), reply.headers['www-authenticate']], [401, 'unauthenticated', 'Bearer'])
      assert.deepEqual(timeless(reply), timeless(replies[0] ?? reply))
    }
  }
  assert.equal((await api.ask(pathOf(acme.id), { headers: { authorization: `bearer  ${key}` } })).status, 200)
})

test('GET takes a key until the moment it is revoked', async () => {
  const key = await createKey(db, acme.id, ['billing:read'])
  assert.equal((await api.get(pathOf(acme.id), key.key)).status, 200)
  await revokeCredential(db, key.authId)
  assert.equal((await api.get(pathOf(acme.id), key.key)).status, 401)
})

test('GET with a key that may not read bills is 403, the same for every organization and query', async () => {
  const paths = OPERATIONS.flatMap((operation) =>
    [acme.id, other.id, randomUUID(), 'x'].flatMap((id) => [pathOf(id, operation), pathOf(id, operation, '?month=x')]),
  )
  const replies = await Promise.all(paths.map((path) => api.get(path, acme.inference.key)))
  for (const reply of replies) {
    assert.deepEqual([reply.status, codeOf(reply)], [403, 'insufficient_scope'])
    assert.deepEqual(timeless(reply), timeless(replies[0] ?? reply))
  }
})

test('GET never shows whether another organization exists: it is answered as one that does not, byte by byte', async () => {
  const ids = [
    other.id,
    other.id.toUpperCase(),
    randomUUID(),
    'x',
    '%00',
    `${acme.id}%20`,
    `${acme.id}%2F`,
    'a'.repeat(9000),
    '%F0%9F%A6%8A',
  ]
  const paths = OPERATIONS.flatMap((operation) =>
    ids.flatMap((id) => [pathOf(id, operation), pathOf(id, operation, '?month=x'), pathOf(id, operation, '')]),
  )
  const replies = await Promise.all(paths.map((path) => api.get(path, acme.billing.key)))
  for (const [index, reply] of replies.entries()) {
    assert.deepEqual([reply.status, codeOf(reply)], [404, 'organization_not_found'], String(paths[index]).slice(0, 100))
    assert.deepEqual(timeless(reply), timeless(replies[0] ?? reply))
  }
})

test('other methods are 405 and say which are not, whatever body comes with them; other paths are 404', async () => {
  const headers = { authorization: `Bearer ${acme.billing.key}`, 'x-http-method-override': 'GET' }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'QUERY']) {
    for (const body of [undefined, '{', 'a'.repeat(100_000)]) {
      const reply = await api.ask(pathOf(acme.id), { method, headers, body: body ?? null })
      assert.deepEqual([reply.status, codeOf(reply)], [405, 'method_not_allowed'], `${method} ${body?.length ?? 0}`)
      assert.equal(reply.headers['allow'], 'GET, HEAD, OPTIONS')
    }
  }
  const options = await fetch(api.url + pathOf(acme.id), { method: 'OPTIONS' })
  assert.deepEqual([options.status, options.headers.get('allow'), await options.text()], [204, 'GET, HEAD, OPTIONS', ''])
  const odd = [
    '/',
    '/v1',
    '/v1/organizations',
    `/v1/organizations/${acme.id}/nothing`,
    `${pathOf(acme.id, 'statement', '/')}`,
    '//',
    '/v2/x',
    '/metrics',
  ]
  for (const path of odd) {
    const reply = await api.ask(path, { headers })
    assert.deepEqual([reply.status, codeOf(reply)], [404, 'route_not_found'], path)
  }
})

test('HEAD is GET without the body, and needs as much', async () => {
  const got = await api.get(pathOf(acme.id), acme.billing.key)
  const head = await fetch(api.url + pathOf(acme.id), { method: 'HEAD', headers: { authorization: `Bearer ${acme.billing.key}` } })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(got.text)))
  assert.equal((await fetch(api.url + pathOf(acme.id), { method: 'HEAD' })).status, 401)
})

test('bytes that are no request, and URLs that cannot be read, are refused in the shape of the contract', async () => {
  const reply = await api.get('/v1/organizations/%ZZ/statement', acme.billing.key)
  assert.deepEqual([reply.status, codeOf(reply)], [400, 'invalid_request'])
  const line = ' HTTP/1.1\r\nhost: x\r\n\r\n'
  const cases: readonly (readonly [string, number, string])[] = [
    ['garbage\r\n\r\n', 400, 'invalid_request'],
    [`GET /${'a'.repeat(20_000)}${line}`, 431, 'head_too_large'],
    [`GET http://evil.example/v1/events${line}`, 400, 'invalid_request'],
    [`GET *${line}`, 400, 'invalid_request'],
    [`BREW ${pathOf(acme.id)}${line}`, 405, 'method_not_allowed'],
    [`BREW /nothing${line}`, 404, 'route_not_found'],
    [`CONNECT evil.example:443${line}`, 405, 'method_not_allowed'],
    ['GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n', 400, 'invalid_request'],
    ['GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400, 'invalid_request'],
  ]
  for (const [bytes, status, code] of cases) {
    const [head = '', text = ''] = (await sendBytes(api.url, bytes)).split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 60))
    const error = ApiErrorSchema.parse(JSON.parse(text))
    assert.equal(error.code, code)
    assert.match(head, /cache-control: private, no-store/)
    assert.match(head, /vary: /)
    assert.match(head, new RegExp(`x-request-id: ${error.requestId}`))
    if (status === 405) assert.match(head, /allow: GET, HEAD, OPTIONS/)
  }
})

function sendBytes(url: string, bytes: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let answer = ''
  connect(Number(new URL(url).port), '127.0.0.1')
    .setEncoding('latin1')
    .on('data', (text: string) => (answer += text))
    .on('close', () => resolve(answer))
    .on('error', reject)
    .end(bytes)
  return promise
}

test('GET is 503 while the database is away, and 200 when it is back; no key is ever in the log', async () => {
  await using wire = await openWired(db.target)
  const lines: string[] = []
  const say = (message: string, fields: object = {}): void => void lines.push(JSON.stringify([message, fields], withErrors))
  const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger }
  await using away = await openApi(wire.db, logger)
  const { key } = acme.billing
  const expected = await away.get(pathOf(acme.id), key)
  assert.equal(expected.status, 200)
  await wire.cut()
  for (const operation of OPERATIONS) {
    const reply = await away.get(pathOf(acme.id, operation), key)
    assert.deepEqual([reply.status, codeOf(reply), reply.headers['retry-after']], [503, 'unavailable', '1'])
  }
  await wire.mend()
  assert.equal((await away.get(pathOf(acme.id), key)).text, expected.text)
  assert.equal(lines.filter((line) => line.includes('api request failed')).length, 2)
  const log = lines.join('\n')
  for (const secret of [key, key.slice(-32), serverSecret.toString('hex'), 'Bearer']) assert(!log.includes(secret), log)
})

test('GET never shows the reason of a fault in the database, and logs it', async () => {
  await using broken = await openLedger()
  const customer = await createCustomer(broken, 'Acme')
  await broken.query('alter table charge rename to somewhere_else')
  const lines: string[] = []
  const say = (message: string, fields: object = {}): void => void lines.push(JSON.stringify([message, fields], withErrors))
  const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger }
  await using faulty = await openApi(broken, logger)
  const reply = await faulty.get(pathOf(customer.id), customer.billing.key)
  assert.deepEqual([reply.status, codeOf(reply)], [500, 'internal'])
  assert.doesNotMatch(reply.text, /charge|42P01/)
  assert.match(lines.join('\n'), /api request failed.*42P01/)
  assert(!lines.join('\n').includes(customer.billing.key))
})

function withErrors(_: string, value: unknown): unknown {
  return value instanceof Error ? { name: value.name, stack: value.stack, cause: value.cause } : value
}

test('startApi() frees its port when it is disposed, and lets what is asked come to its end', async () => {
  const closing = await openApi(db)
  const asked = closing.get(pathOf(acme.id), acme.billing.key)
  assert.equal((await asked).status, 200)
  await closing[Symbol.asyncDispose]()
  await assert.rejects(fetch(closing.url))
})
