import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { isJsonReply } from '@ascribe/contract'
import { createOrganization as created, grantCredit as granted } from '@ascribe/contract/admin'
import { TrailDownError, createPlatformCredential, readInstallationLog, revokePlatformCredential } from '@ascribe/ledger'
import type { AuditEntry } from '@ascribe/ledger'
import { NOBODY, openOperators, refusal, send } from './operators-support.ts'
import type { Answer } from './operators-support.ts'
import { createCustomer, serverSecret } from './support.ts'

/** Lines that the trail does not take. */
let fault: AuditEntry['kind'] | undefined
const operators = await openOperators({
  wrap: (trail) => ({
    append: (entries) =>
      entries.some(({ kind }) => kind === fault)
        ? Promise.reject(new TrailDownError('Cannot write the audit trail: asked for'))
        : trail.append(entries),
    appendIn: (tx, entries) => trail.appendIn(tx, entries),
    signedHead: (queryable, chain) => trail.signedHead(queryable, chain),
  }),
})
after(() => operators[Symbol.asyncDispose]())
const { db } = operators

function ask(
  method: string,
  path: string,
  {
    body,
    key = operators.adminKey,
    headers = [],
  }: { readonly body?: object; readonly key?: string; readonly headers?: readonly string[] } = {},
): Promise<Answer> {
  return send(operators.admin + path, {
    method,
    headers: ['authorization', `Bearer ${key}`, ...(body === undefined ? [] : ['content-type', 'application/json']), ...headers],
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}
const jsonOf = <Value = Record<string, string>>({ text }: Answer): Value => JSON.parse(text) as Value
const linesOf = ({ text }: Answer): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('POST /v1/organizations and credentials: an organization, a key that works at once, and lines in its log', async () => {
  const made = await ask('POST', '/v1/organizations', { body: { name: 'Acme' } })
  assert.equal(made.status, 201, made.text)
  assert(isJsonReply(created.reply))
  const { id } = created.reply.parse(JSON.parse(made.text))
  const child = await ask('POST', '/v1/organizations', { body: { name: 'Child', parentId: id } })
  assert.equal(jsonOf(child)['parentId'], id)
  const key = jsonOf(await ask('POST', `/v1/organizations/${id}/credentials`, { body: { name: 'first' } }))
  assert.deepEqual([key['id'] === key['authId'], typeof key['secret']], [true, 'string'])
  const statement = await send(`${operators.api}/v1/organizations/${id}/statement?month=2026-03`, {
    headers: ['authorization', `Bearer ${key['secret'] ?? ''}`],
  })
  assert.equal(statement.status, 200)
  // Shown once: nowhere else, not in the log either.
  const log = JSON.stringify(await operators.log(id))
  assert.ok(!log.includes(key['secret'] ?? '') && log.includes(key['authId'] ?? ''))
  assert.deepEqual(
    (await operators.log(id)).map(({ kind, status }) => [kind, status]),
    [
      ['write_end', 201],
      ['admin', undefined],
      ['write_end', 201],
    ],
  )
  assert.equal((await ask('DELETE', `/v1/organizations/${id}/credentials/${key['authId'] ?? ''}`)).status, 204)
  const dead = await send(`${operators.api}/v1/organizations/${id}/statement?month=2026-03`, {
    headers: ['authorization', `Bearer ${key['secret'] ?? ''}`],
  })
  assert.deepEqual(refusal(dead), [401, 'unauthenticated'])
  assert.equal(linesOf(await ask('GET', `/v1/organizations?parentId=${id}`)).length, 1)
  assert.equal(jsonOf(await ask('PUT', `/v1/organizations/${id}`, { body: { name: 'Acme Inc' } }))['name'], 'Acme Inc')
  assert.deepEqual(refusal(await ask('PUT', `/v1/organizations/${id}`, { body: { parentId: jsonOf(child)['id'] } })), [409, 'conflict'])
  assert.equal((await ask('DELETE', `/v1/organizations/${jsonOf(child)['id'] ?? ''}`)).status, 204)
})

test('Idempotency-Key: the same request again gets the same answer, secret included, and does nothing twice; another request is refused', async () => {
  const headers = ['idempotency-key', 'key-1']
  const first = await ask('POST', '/v1/organizations', { body: { name: 'Once' }, headers })
  const again = await ask('POST', '/v1/organizations', { body: { name: 'Once' }, headers })
  assert.deepEqual([again.status, again.text, again.headers['idempotency-replayed']], [first.status, first.text, 'true'])
  assert.deepEqual(refusal(await ask('POST', '/v1/organizations', { body: { name: 'Other' }, headers })), [409, 'idempotency_conflict'])
  const { id = '' } = jsonOf(first)
  const parallel = await Promise.all(
    Array.from({ length: 5 }, () =>
      ask('POST', `/v1/organizations/${id}/credentials`, { body: { name: 'k' }, headers: ['idempotency-key', 'key-2'] }),
    ),
  )
  const made = parallel.filter(({ status }) => status === 201)
  assert.ok(made.length >= 1)
  assert.equal(new Set(made.map(({ text }) => text)).size, 1)
  for (const reply of parallel.filter(({ status }) => status !== 201)) assert.deepEqual(refusal(reply), [409, 'idempotency_conflict'])
  // What was refused can be mended and tried again under the same key.
  const mended = ['idempotency-key', 'key-3']
  assert.deepEqual(refusal(await ask('POST', '/v1/organizations', { body: { name: '' }, headers: mended })), [400, 'invalid_request'])
  assert.equal((await ask('POST', '/v1/organizations', { body: { name: 'Mended' }, headers: mended })).status, 201)
  assert.deepEqual(
    refusal(await ask('POST', '/v1/organizations', { body: { name: 'x' }, headers: ['idempotency-key', 'a', 'idempotency-key', 'b'] })),
    [400, 'invalid_request'],
  )
})

test('Idempotency-Key: a secret is never told again without a line, and a change whose second line failed is never done twice', async () => {
  const customer = await createCustomer(db, 'Acme')
  const make = (key: string): Promise<Answer> =>
    ask('POST', `/v1/organizations/${customer.id}/credentials`, { body: { name: 'k' }, headers: ['idempotency-key', key] })
  const [first, again] = [await make('told-twice'), await make('told-twice')]
  assert.deepEqual([again.status, again.text], [201, first.text])
  const [line] = await operators.log(customer.id)
  assert.deepEqual(
    [line?.kind, line?.status, line?.detail?.['replayed'], line?.requestId],
    ['write_end', 201, true, again.headers['x-request-id']],
  )
  // The trail goes away between the change and its second line.
  fault = 'write_end'
  assert.deepEqual(refusal(await make('half')), [503, 'audit_unavailable'])
  fault = undefined
  const count = async (): Promise<number> =>
    (await db.query("select from auth_mapping where organization_id = $1::uuid and recorded_by like 'platform:%'", [customer.id])).rowCount
  const made = await count()
  assert.equal((await make('half')).status, 201)
  assert.equal(await count(), made)
})

test('Idempotency-Key: a credential is never answered with what another one did under the same key', async () => {
  const { key } = await createPlatformCredential(db, serverSecret, { name: 'second', by: 'test' })
  const make = async (by: string): Promise<string | undefined> =>
    jsonOf(await ask('POST', '/v1/organizations', { body: { name: 'Of two' }, key: by, headers: ['idempotency-key', 'of-two'] }))['id']
  const ids = [await make(operators.adminKey), await make(key), await make(operators.adminKey), await make(key)]
  assert.notEqual(ids[0], ids[1])
  assert.deepEqual(ids.slice(2), ids.slice(0, 2))
})

test('a credential of the platform is needed, with the scope, and ends when it is revoked; no other key is one', async () => {
  const customer = await createCustomer(db, 'Acme')
  for (const key of ['', 'x', customer.billing.key, operators.adminKey.slice(0, -1) + (operators.adminKey.endsWith('0') ? '1' : '0')])
    assert.deepEqual(refusal(await ask('GET', '/v1/organizations', { key })), [401, 'unauthenticated'])
  const twice = await send(`${operators.admin}/v1/organizations`, {
    headers: ['authorization', `Bearer ${operators.adminKey}`, 'authorization', `Bearer ${operators.adminKey}`],
  })
  assert.deepEqual(refusal(twice), [401, 'unauthenticated'])
  const reader = await createPlatformCredential(db, serverSecret, { name: 'reader', scopes: ['platform:read'], by: 'test' })
  assert.equal((await ask('GET', '/v1/organizations', { key: reader.key })).status, 200)
  assert.deepEqual(refusal(await ask('POST', '/v1/organizations', { key: reader.key, body: { name: 'x' } })), [403, 'insufficient_scope'])
  await revokePlatformCredential(db, { id: reader.id, by: 'test' })
  assert.deepEqual(refusal(await ask('GET', '/v1/organizations', { key: reader.key })), [401, 'unauthenticated'])
  for (const headers of [
    ['origin', 'http://127.0.0.1:8084'],
    ['sec-fetch-site', 'cross-site'],
  ])
    assert.deepEqual(refusal(await ask('GET', '/v1/organizations', { headers })), [403, 'origin_refused'])
  assert.deepEqual(refusal(await ask('GET', `/v1/organizations/${NOBODY}`)), [404, 'organization_not_found'])
  const log = await readInstallationLog(db, { limit: 1000 })
  assert(log !== 'bad_cursor')
  assert.ok(log.entries.some(({ kind, status }) => kind === 'refusal' && status === 403))
})

test('users, groups, memberships, resources and cloud owners are said, said again, and ended', async () => {
  const { id } = await createCustomer(db, 'Acme')
  assert.deepEqual(jsonOf(await ask('PUT', '/v1/groups/research', { body: { organization: id, name: 'Research' } })), { changes: 1 })
  assert.deepEqual(jsonOf(await ask('PUT', '/v1/groups/research', { body: { organization: id, name: 'Research' } })), { changes: 0 })
  const user = await ask('PUT', '/v1/users/ann%40acme.example', { body: { name: 'Ann', organizations: [id], groups: ['research'] } })
  assert.equal(user.status, 200, user.text)
  assert.equal((await ask('PUT', `/v1/organizations/${id}/members/ann%40acme.example`, { body: { role: 'admin' } })).status, 200)
  const [ann] = linesOf(await ask('GET', `/v1/users?organizationId=${id}`))
  assert.deepEqual([ann?.['id'], ann?.['roles']], ['ann@acme.example', { [id]: 'admin' }])
  assert.equal((await ask('DELETE', `/v1/organizations/${id}/members/ann%40acme.example`)).status, 204)
  assert.deepEqual(refusal(await ask('DELETE', `/v1/organizations/${id}/members/ann%40acme.example`)), [404, 'not_found'])
  assert.equal((await ask('PUT', '/v1/resources/vm-1', { body: { type: 'vm', organization: id, region: 'aws/us-east-1' } })).status, 200)
  assert.deepEqual(
    linesOf(await ask('GET', `/v1/resources?organizationId=${id}`)).map((each) => each['id']),
    ['vm-1'],
  )
  assert.equal((await ask('DELETE', '/v1/resources/vm-1')).status, 204)
  assert.deepEqual(refusal(await ask('PUT', '/v1/groups/x', { body: { organization: NOBODY } })), [409, 'conflict'])
  const owner = crypto.randomUUID()
  assert.deepEqual(jsonOf(await ask('PUT', `/v1/owners/${owner}`, { body: { organizationId: id } })), { userId: owner, organizationId: id })
  assert.deepEqual(jsonOf(await ask('GET', `/v1/owners/${owner}`)), { userId: owner, organizationId: id })
  const since = async (): Promise<string | undefined> =>
    jsonOf<{ since?: string }>(await ask('GET', `/v1/owners?organizationId=${id}`)).since
  // Nothing was said of this user before: what was used so far is the organization's too.
  assert.equal(await since(), undefined)
  const other = jsonOf<{ id: string }>(await ask('POST', '/v1/organizations', { body: { name: 'Taker of owners' } })).id
  assert.equal((await ask('PUT', `/v1/owners/${owner}`, { body: { organizationId: other } })).status, 200)
  assert.equal((await ask('PUT', `/v1/owners/${owner}`, { body: { organizationId: id } })).status, 200)
  assert.match((await since()) ?? '', /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(refusal(await ask('PUT', `/v1/owners/${owner}`, { body: { organizationId: NOBODY } })), [404, 'not_found'])
  assert.deepEqual(refusal(await ask('GET', `/v1/owners/${crypto.randomUUID()}`)), [404, 'not_found'])
})

test('prices are compared and applied with what they change; a book that would reprice what is charged is refused', async () => {
  const text = 'version: 1\nbase_models:\n  new-model: { prompt: "0.5", cached: "0", completion: "1" }\n'
  const planned = await ask('POST', '/v1/prices/diff', { body: { text } })
  assert.equal(planned.status, 200, planned.text)
  const { outcome, diff } = jsonOf<{ outcome: string; diff: { rates: { model: string; change: string }[] } }>(planned)
  assert.equal(outcome, 'planned')
  assert.ok(diff.rates.some(({ model, change }) => model === 'new-model' && change === 'added'))
  const before = linesOf(await ask('GET', '/v1/prices')).length
  const applied = jsonOf<{ outcome: string; diff: object }>(await ask('POST', '/v1/prices', { body: { text } }))
  assert.deepEqual([applied.outcome, applied.diff], ['applied', diff])
  assert.equal(linesOf(await ask('GET', '/v1/prices')).length, before + 1)
  assert.deepEqual(refusal(await ask('POST', '/v1/prices', { body: { text: 'nonsense: [' } })), [400, 'invalid_request'])
})

test('budgets, limits, terms and credits are set, listed and ended; amounts are decimals', async () => {
  const { id, inference } = await createCustomer(db, 'Acme')
  const budget = { scope: 'organization', subject: id, unit: 'USD', period: 'prepaid', limit: '100.50' }
  const set = jsonOf(await ask('PUT', '/v1/budgets', { body: budget }))
  assert.equal(set['outcome'], 'created')
  assert.equal(jsonOf(await ask('POST', `/v1/budgets/${set['id'] ?? ''}/top-up`, { body: { amount: '9.5' } }))['limit'], '110')
  const listed = linesOf(await ask('GET', '/v1/budgets')).find((each) => each['id'] === set['id'])
  assert.equal(listed?.['limit'], '110')
  assert.equal((await ask('DELETE', `/v1/budgets/${set['id'] ?? ''}`)).status, 204)
  assert.deepEqual(refusal(await ask('PUT', '/v1/budgets', { body: { ...budget, limit: 100.5 } })), [400, 'invalid_request'])
  assert.deepEqual(refusal(await ask('PUT', '/v1/budgets', { body: { ...budget, subject: 'nobody' } })), [404, 'not_found'])
  assert.deepEqual(refusal(await ask('PUT', '/v1/budgets', { body: { ...budget, unit: 'EUR' } })), [409, 'conflict'])
  assert.equal(
    jsonOf(await ask('PUT', '/v1/limits', { body: { scope: 'credential', subject: inference.authId, requestsPerMinute: 5 } }))['outcome'],
    'created',
  )
  assert.equal(linesOf(await ask('GET', '/v1/limits')).length, 1)
  assert.equal((await ask('DELETE', `/v1/limits/credential/${inference.authId}`)).status, 204)
  const terms = { scope: 'credential', subject: inference.authId }
  const said = await ask('PUT', '/v1/terms', { body: { ...terms, abort: 'cancel', maxConcurrent: 4 } })
  assert.equal(jsonOf(said)['outcome'], 'set')
  assert.equal(jsonOf(await ask('PUT', '/v1/terms', { body: { ...terms, abort: null } }))['outcome'], 'changed')
  assert.deepEqual(linesOf(await ask('GET', '/v1/terms')), [{ ...terms, maxConcurrent: 4 }])
  assert.deepEqual(refusal(await ask('PUT', '/v1/terms', { body: terms })), [400, 'invalid_request'])
  assert.deepEqual(refusal(await ask('PUT', '/v1/terms', { body: { ...terms, maxConcurrent: 0 } })), [400, 'invalid_request'])
  assert.deepEqual(refusal(await ask('PUT', '/v1/terms', { body: { ...terms, subject: 'nobody', abort: 'cancel' } })), [404, 'not_found'])
  assert.equal((await ask('DELETE', `/v1/terms/credential/${inference.authId}`)).status, 204)
  assert.deepEqual(refusal(await ask('DELETE', `/v1/terms/credential/${inference.authId}`)), [404, 'not_found'])
  const credit = await ask('POST', `/v1/organizations/${id}/credits`, { body: { amount: '500', kind: 'trial' } })
  assert(isJsonReply(granted.reply))
  const { id: creditId } = granted.reply.parse(JSON.parse(credit.text))
  assert.deepEqual(
    linesOf(await ask('GET', `/v1/organizations/${id}/credits`)).map((each) => each['balance']),
    ['500'],
  )
  const other = await createCustomer(db, 'Other')
  assert.deepEqual(refusal(await ask('DELETE', `/v1/organizations/${other.id}/credits/${creditId}?reason=x`)), [404, 'not_found'])
  assert.equal((await ask('DELETE', `/v1/organizations/${id}/credits/${creditId}?reason=mistake`)).status, 204)
})
