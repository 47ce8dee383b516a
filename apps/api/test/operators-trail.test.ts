import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import type { Logger } from '@ascribe/kit'
import { decideSupportRequest, listSupportRequests, setSupportAccess } from '@ascribe/ledger'
import type { AuditEntry, Trail } from '@ascribe/ledger'
import { DatabaseError, openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { OLGA, openOperators, refusal, send } from './operators-support.ts'
import type { Answer } from './operators-support.ts'
import { createCustomer, settle, usageRecord } from './support.ts'

/** What the trail has been given, and a gate before it. */
const written: AuditEntry[] = []
let gate: Promise<void> | undefined
const wrap = (trail: Trail): Pick<Trail, 'append' | 'appendIn' | 'signedHead'> => ({
  async append(entries) {
    await gate
    const receipts = await trail.append(entries)
    written.push(...entries)
    return receipts
  },
  appendIn: (tx, entries) => trail.appendIn(tx, entries),
  signedHead: (db, chain) => trail.signedHead(db, chain),
})

const operators = await openOperators({ wrap })
after(() => operators[Symbol.asyncDispose]())
const { db } = operators
const PATH = '/api/organization'

test('R18: not a byte of a reply leaves before its line is committed', async () => {
  const { id } = await createCustomer(db, 'Acme')
  await operators.begin(OLGA, id)
  const opened = Promise.withResolvers<void>()
  gate = opened.promise
  let bytes = 0
  const done = Promise.withResolvers<number>()
  const headers = ['host', 'x', ...(await operators.as(OLGA)), 'accept', id]
  const asked = request(operators.internal + PATH, { headers, agent: false }, (response) => {
    response.on('data', (part: Buffer) => (bytes += part.length))
    response.on('end', () => done.resolve(response.statusCode ?? 0))
  })
  asked.on('socket', (socket) => socket.on('data', (part: Buffer) => (bytes += part.length)))
  asked.end()
  // Others get in and out meanwhile: the one that waits is really waiting for its line.
  for (let turn = 0; turn < 5; turn += 1) assert.equal((await send(`${operators.internal}/healthz`)).status, 200)
  assert.equal(bytes, 0)
  opened.resolve()
  gate = undefined
  assert.equal(await done.promise, 200)
  assert.equal(written.at(-1)?.path, PATH)
  assert.equal((await operators.log(id))[0]?.path, PATH)
})

test('sink down: 503 and no data, on every operators’ read and every customer’s write, and nothing has changed; mended: all is well', async () => {
  const customer = await createCustomer(db, 'Acme')
  await operators.begin(OLGA, customer.id)
  const fault = (audit: 'down' | 'ok'): Promise<Answer> =>
    send(`${operators.admin}/v1/faults`, {
      method: 'POST',
      headers: ['authorization', `Bearer ${operators.adminKey}`, 'content-type', 'application/json'],
      body: JSON.stringify({ audit }),
    })
  assert.equal((await fault('down')).status, 200)
  for (const path of [
    PATH,
    `/v1/organizations/${customer.id}/statement?month=2026-03`,
    `/v1/organizations/${customer.id}/exports/charges?from=2026-03-01&to=2026-03-02&format=csv`,
    '/nothing/of/this',
  ]) {
    const reply = await operators.read(OLGA, customer.id, path)
    if (path === '/nothing/of/this') assert.equal(reply.status, 404)
    else {
      assert.deepEqual(refusal(reply), [503, 'audit_unavailable'], path)
      assert.doesNotMatch(reply.text, /Acme|total|ChargePeriod/)
    }
  }
  assert.deepEqual(refusal(await operators.begin('otto@ops.example', customer.id)), [503, 'audit_unavailable'])
  const admin = (method: string, path: string, body: object): Promise<Answer> =>
    send(operators.admin + path, {
      method,
      headers: ['authorization', `Bearer ${operators.adminKey}`, 'content-type', 'application/json'],
      body: JSON.stringify(body),
    })
  assert.deepEqual(refusal(await admin('PUT', `/v1/organizations/${customer.id}`, { name: 'Changed' })), [503, 'audit_unavailable'])
  assert.equal((await fault('ok')).status, 200)
  const read = await operators.read(OLGA, customer.id, PATH)
  assert.deepEqual([read.status, (JSON.parse(read.text) as { name: string }).name], [200, 'Acme'])
  assert.deepEqual(refusal(await operators.read('otto@ops.example', customer.id, PATH)), [403, 'acting_session_required'])
})

test('a stream gets a second line under the same id: completed, with rows, bytes and digest of what left', async () => {
  const customer = await createCustomer(db, 'Acme')
  await settle(db, [usageRecord({ authId: customer.billing.authId })])
  await operators.begin(OLGA, customer.id)
  const path = `/v1/organizations/${customer.id}/exports/charges?from=2026-03-01&to=2026-03-31&format=csv`
  const reply = await operators.read(OLGA, customer.id, path)
  assert.equal(reply.status, 200, reply.text)
  const ended = async (): Promise<boolean> => (await operators.log(customer.id))[0]?.kind === 'stream_end'
  while (!(await ended()));
  const [end, begin] = await operators.log(customer.id)
  assert.deepEqual([begin?.kind, begin?.status, end?.requestId], ['read', 200, begin?.requestId])
  const { rows, ...said } = (end?.detail ?? {}) as { rows: number }
  assert.deepEqual(said, {
    outcome: 'completed',
    bytes: Buffer.byteLength(reply.text),
    sha256: createHash('sha256').update(reply.text).digest('hex'),
  })
  assert.ok(rows >= 3)
})

test('the internal listener’s role reads the ledger and appends to trail and sessions, and can do nothing else', async () => {
  const customer = await createCustomer(db, 'Acme')
  await using internal = roleOf('ascribe_internal')
  const denied = [
    "update organization set name = 'x'",
    'delete from charge',
    'delete from audit_line',
    "update audit_line set body = ''",
    "insert into organization (name, currency) values ('x', 'USD')",
    'update credential set revoked_at = now()',
    "insert into auth_mapping (auth_id, valid_from, organization_id) values ('x', now(), null)",
    'create table x ()',
    'select * from web_session',
  ]
  for (const sql of denied) {
    await assert.rejects(internal.query(sql), (error: unknown) => error instanceof DatabaseError && error.sqlstate === '42501', sql)
  }
  assert.equal((await internal.query('select from organization where organization_id = $1::uuid', [customer.id])).rowCount, 1)
})

function roleOf(role: string): Database {
  return openDatabase({ ...db.target, role, max: 1 })
}

test('--acting implied: an operator just looks, for as long as the assertion’s time lasts, and one assertion never begins twice', async () => {
  await using implied = await openOperators({ acting: 'implied' })
  const customer = await createCustomer(implied.db, 'Acme')
  const [name = '', token = ''] = await implied.as(OLGA)
  const read = (): Promise<Answer> => send(implied.internal + PATH, { headers: [name, token, 'accept', customer.id] })
  const first = await read()
  assert.equal(first.status, 200, first.text)
  const { iat } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iat: number }
  assert.equal(Date.parse(first.headers['x-acting-expires'] ?? ''), iat * 1000 + 3_600_000)
  const ended = await send(`${implied.internal}/v1/acting-sessions/end`, {
    method: 'POST',
    headers: [name, token, 'sec-fetch-site', 'same-origin', 'content-type', 'application/x-www-form-urlencoded'],
    body: `organization=${customer.id}`,
  })
  assert.equal(ended.status, 200)
  assert.equal(refusal(await read())[0], 403)
  const kinds = (await implied.log(customer.id)).map(({ kind }) => kind)
  assert.deepEqual(kinds.toReversed().slice(0, 3), ['session', 'read', 'session'])
})

test('--acting implied: where the customer wants to be asked, looking asks, and is refused until it is approved', async () => {
  const lines: string[] = []
  const say = (message: string, fields: object = {}): void => void lines.push(`${message} ${inspect(fields)}`)
  const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger }
  await using implied = await openOperators({ acting: 'implied', logger })
  const customer = await createCustomer(implied.db, 'Acme')
  const audit = async (): Promise<void> => {}
  await setSupportAccess(implied.db, { organizationId: customer.id, requireApproval: true, by: 'test', audit })
  const read = (): Promise<Answer> => implied.read(OLGA, customer.id, PATH)
  for (let turn = 0; turn < 2; turn += 1) assert.deepEqual(refusal(await read()), [403, 'approval_required'], lines.join('\n'))
  const page = await listSupportRequests(implied.db, { organizationId: customer.id })
  assert(page !== 'bad_cursor')
  assert.deepEqual(
    page.requests.map(({ state }) => state),
    ['pending'],
  )
  const [request] = page.requests
  const decide = (decision: 'approve' | 'refuse' | 'revoke'): Promise<unknown> =>
    decideSupportRequest(implied.db, { organizationId: customer.id, requestId: request?.id ?? '', decision, by: 'test', audit })
  await decide('approve')
  assert.equal((await read()).status, 200, lines.join('\n'))
  await decide('revoke')
  for (let turn = 0; turn < 2; turn += 1) assert.equal((await read()).status, 403, lines.join('\n'))
})

test('what is refused before operator and organization are known leaves no line; later it does', async () => {
  const customer = await createCustomer(db, 'Acme')
  await send(operators.internal + PATH, { headers: ['accept', customer.id] })
  await operators.read('nora@ops.example', customer.id, PATH)
  assert.deepEqual(await operators.log(customer.id), [])
  await operators.begin(OLGA, customer.id)
  assert.deepEqual(refusal(await operators.read(OLGA, customer.id, '/api/costs/breakdown/daily?startDate=x&endDate=y')), [
    400,
    'invalid_request',
  ])
  const [line] = await operators.log(customer.id)
  assert.deepEqual([line?.kind, line?.status, line?.path], ['refusal', 400, '/api/costs/breakdown/daily'])
})
