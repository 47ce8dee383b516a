import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { listBudgets, mapAuthId, moveOrganization, setBudget, syncDirectory, verifyAudit } from '@ascribe/ledger'
import { OLGA, openOperators, refusal, send } from './operators-support.ts'
import type { Answer } from './operators-support.ts'
import { createCustomer, createKey } from './support.ts'
import type { Customer } from './support.ts'

// What customers change themselves: by role, each change with its lines, and nothing of anybody else's.

const operators = await openOperators()
const { db, api: url } = operators
after(() => operators[Symbol.asyncDispose]())
const { issuer } = operators
let acme: Customer
let other: Customer

before(async () => {
  acme = await createCustomer(db, 'Acme')
  other = await createCustomer(db, 'Other')
  issuer.setOrganizations('ada', [acme.id])
  issuer.setOrganizations('vic', [acme.id])
  issuer.setOrganizations('eve', [other.id])
})

async function as(user: string, method: string, path: string, body?: object): Promise<Answer> {
  const token = issuer.userToken(user)
  return send(url + path, {
    method,
    headers: ['authorization', `Bearer ${token}`, ...(body === undefined ? [] : ['content-type', 'application/json'])],
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}
const jsonOf = <Value = Record<string, string>>({ text }: Answer): Value => JSON.parse(text) as Value
const at = (path: string, { id }: Customer = acme): string => `/v1/organizations/${id}/${path}`

test('an admin makes, rotates and revokes API keys; a viewer and a key may not, and none of it shows a secret twice', async () => {
  const body = { name: 'ci', scopes: ['inference'] }
  assert.deepEqual(refusal(await as('vic', 'POST', at('credentials'), body)), [403, 'insufficient_role'])
  const byKey = await send(url + at('credentials'), {
    method: 'POST',
    headers: ['authorization', `Bearer ${acme.billing.key}`, 'content-type', 'application/json'],
    body: JSON.stringify(body),
  })
  assert.deepEqual(refusal(byKey), [403, 'insufficient_role'])
  assert.deepEqual(refusal(await as('eve', 'POST', at('credentials'), body)), [404, 'organization_not_found'])
  const made = await as('ada', 'POST', at('credentials'), body)
  assert.equal(made.status, 201, made.text)
  const { authId = '', secret = '' } = jsonOf(made)
  const rotated = jsonOf(await as('ada', 'POST', at(`credentials/${authId}/rotate`), { overlapSeconds: 60 }))
  assert.notEqual(rotated['secret'], secret)
  assert.ok(Date.parse(rotated['oldEndsAt'] ?? '') > Date.now())
  assert.equal((await as('ada', 'DELETE', at(`credentials/${authId}`))).status, 204)
  assert.deepEqual(refusal(await as('ada', 'POST', at(`credentials/${authId}/rotate`), {})), [409, 'conflict'])
  const log = await operators.log(acme.id)
  const mine = log.filter(({ actor }) => actor.kind === 'user' && actor.id !== undefined).map(({ kind, status }) => [kind, status])
  // Newest first: each change has a line before it and one after it, and a refusal has one.
  assert.deepEqual(mine, [
    ['write_end', 409],
    ['write', undefined],
    ['write_end', 204],
    ['write', undefined],
    ['write_end', 200],
    ['write', undefined],
    ['write_end', 201],
    ['write', undefined],
    ['refusal', 403],
  ])
  assert.ok(!JSON.stringify(log).includes(secret) && !JSON.stringify(log).includes(rotated['secret'] ?? ''))
})

test('no key, group or budget of another organization can be touched or guessed: it is as unknown as nobody’s', async () => {
  const theirs = await createKey(db, other.id, ['inference'])
  const answers = await Promise.all(
    [theirs.authId, crypto.randomUUID()].flatMap((id) => [
      as('ada', 'DELETE', at(`credentials/${id}`)),
      as('ada', 'POST', at(`credentials/${id}/rotate`), {}),
      as('ada', 'PUT', at('budgets'), { scope: 'credential', subject: id, unit: 'USD', period: 'day', limit: '1' }),
    ]),
  )
  const told = answers.map(({ status, text, headers }) => [status, text.replace(headers['x-request-id'] ?? '', '')])
  assert.deepEqual(told.slice(0, 3), told.slice(3))
  assert.deepEqual(
    told.map(([status]) => status),
    Array(6).fill(404),
  )
  for (const subject of ['*', other.id]) {
    const set = await as('ada', 'PUT', at('budgets'), { scope: 'organization', subject, unit: 'USD', period: 'day', limit: '1' })
    assert.deepEqual(refusal(set), [404, 'not_found'])
  }
  const user = await as('ada', 'PUT', at('budgets'), { scope: 'user', subject: 'ada', unit: 'USD', period: 'day', limit: '1' })
  assert.deepEqual(refusal(user), [400, 'invalid_request'])
  // A key that went to another organization is not the old one's any more.
  const moved = await createKey(db, acme.id, ['inference'])
  await mapAuthId(db, { authId: moved.authId, organizationId: other.id, from: Date.now() } as never)
  assert.deepEqual(refusal(await as('ada', 'DELETE', at(`credentials/${moved.authId}`))), [404, 'not_found'])
})

test('an admin sets budgets with alert recipients for what is its own, and none over the provider’s', async () => {
  const budget = {
    scope: 'organization',
    unit: 'USD',
    period: 'month',
    limit: '250.00',
    thresholds: [50, 90],
    webhookUrl: 'https://acme.example/hook',
  }
  assert.deepEqual(refusal(await as('vic', 'PUT', at('budgets'), budget)), [403, 'insufficient_role'])
  const set = jsonOf(await as('ada', 'PUT', at('budgets'), budget))
  assert.equal(set['outcome'], 'created')
  assert.equal(jsonOf(await as('ada', 'PUT', at('budgets'), { ...budget, limit: '300' }))['outcome'], 'changed')
  const [stored] = (await listBudgets(db, Date.now())).filter(({ id }) => id === set['id'])
  assert.deepEqual([stored?.webhookUrl, stored?.thresholds], ['https://acme.example/hook', [50, 90]])
  assert.equal((await as('ada', 'DELETE', at(`budgets/${set['id'] ?? ''}`))).status, 204)
  const cap = await setBudget(
    db,
    { scope: 'organization', subject: acme.id, unit: 'tokens', period: 'day', limit: 10n, by: 'platform:x' },
    Date.now(),
  )
  assert(cap.kind === 'created')
  const wider = await as('ada', 'PUT', at('budgets'), { scope: 'organization', unit: 'tokens', period: 'day', limit: '1000000' })
  assert.deepEqual(refusal(wider), [409, 'conflict'])
  assert.deepEqual(refusal(await as('ada', 'DELETE', at(`budgets/${cap.budgetId}`))), [409, 'conflict'])
  for (const webhookUrl of ['javascript:alert(1)', 'file:///etc/passwd', 'x'])
    assert.deepEqual(refusal(await as('ada', 'PUT', at('budgets'), { ...budget, webhookUrl })), [400, 'invalid_request'])
})

test('support access: off by default, then asked for, approved, and revoked at once; a window; each with its line', async () => {
  const path = at('support-access')
  assert.deepEqual(jsonOf(await as('vic', 'GET', path)), { requireApproval: false })
  assert.deepEqual(refusal(await as('vic', 'PUT', path, { requireApproval: true })), [403, 'insufficient_role'])
  assert.equal((await operators.begin(OLGA, acme.id)).status, 201)
  assert.equal((await operators.read(OLGA, acme.id, '/api/organization')).status, 200)
  assert.equal(jsonOf<{ requireApproval: boolean }>(await as('ada', 'PUT', path, { requireApproval: true })).requireApproval, true)
  // What nobody approved has ended.
  assert.equal((await operators.read(OLGA, acme.id, '/api/organization')).status, 403)
  assert.deepEqual(refusal(await operators.begin(OLGA, acme.id)), [403, 'approval_required'])
  const { data } = jsonOf<{ data: { id: string; state: string; operator: string; reason: string }[] }>(
    await as('vic', 'GET', `${path}/requests`),
  )
  assert.deepEqual([data[0]?.state, data[0]?.operator, data[0]?.reason], ['pending', OLGA, 'a question of hers'])
  const request = `${path}/requests/${data[0]?.id ?? ''}`
  assert.deepEqual(refusal(await as('eve', 'POST', request.replace(acme.id, other.id) + '/approve', {})), [404, 'not_found'])
  const approved = await as('ada', 'POST', `${request}/approve`)
  assert.equal(jsonOf(approved)['state'], 'approved', approved.text)
  assert.equal((await operators.begin(OLGA, acme.id)).status, 201)
  assert.equal((await operators.read(OLGA, acme.id, '/api/organization')).status, 200)
  assert.equal(jsonOf(await as('ada', 'POST', `${request}/revoke`, {}))['state'], 'revoked')
  assert.deepEqual(refusal(await operators.read(OLGA, acme.id, '/api/organization')), [403, 'acting_session_ended'])
  assert.deepEqual(refusal(await as('ada', 'POST', `${request}/approve`, {})), [409, 'conflict'])

  const until = new Date(Date.now() + 3_600_000).toISOString()
  assert.equal(jsonOf<{ window?: { until: string } }>(await as('ada', 'PUT', `${path}/window`, { until })).window?.until, until)
  assert.equal((await operators.begin('otto@ops.example', acme.id)).status, 201)
  assert.equal(jsonOf<{ window?: object }>(await as('ada', 'DELETE', `${path}/window`)).window, undefined)
  assert.equal((await operators.read('otto@ops.example', acme.id, '/api/organization')).status, 403)
  const support = (await operators.log(acme.id)).filter(({ kind }) => kind === 'support').map(({ status }) => status)
  assert.deepEqual(support, [200, 200, 409, 200, 200, 200])
})

test('a parent’s admin sees a child and changes nothing of it; the child reads that it was tried', async () => {
  const child = await createCustomer(db, 'Child')
  assert.equal(await moveOrganization(db, { id: child.id, parentId: acme.id }), 'moved')
  assert.equal((await as('ada', 'GET', at('support-access', child))).status, 200)
  assert.deepEqual(refusal(await as('ada', 'POST', at('credentials', child), { name: 'by the parent' })), [403, 'insufficient_role'])
  assert.deepEqual(refusal(await as('ada', 'PUT', at('support-access', child), { requireApproval: true })), [403, 'insufficient_role'])
  const lines = (await operators.log(child.id)).map(({ kind, actor, status }) => [kind, actor.kind, status])
  assert.deepEqual(lines, [
    ['refusal', 'user', 403],
    ['refusal', 'user', 403],
    ['read', 'user', 200],
  ])
})

test('a customer’s key never names somebody else’s people or groups, whose budgets its use would take', async () => {
  for (const { id, name } of [
    { id: acme.id, name: 'acme' },
    { id: other.id, name: 'other' },
  ]) {
    const users = [{ id: `of-${name}`, organizations: [id] }]
    await syncDirectory(db, { users, groups: [{ id: `group-${name}`, organization: id }] }, { source: `test-${name}` })
  }
  const make = async (fields: object) => as('ada', 'POST', at('credentials'), { name: 'k', scopes: ['inference'], ...fields })
  const told = async (fields: object) => jsonOf(await make(fields))['message']
  // Somebody else's and nobody's are told alike: else ids of others could be found out.
  assert.equal(await told({ userId: 'of-other' }), await told({ userId: 'nobody' }))
  assert.equal(await told({ groupId: 'group-other' }), await told({ groupId: 'none' }))
  for (const fields of [{ userId: 'of-other' }, { userId: 'nobody' }, { groupId: 'group-other' }, { groupId: 'none' }])
    assert.deepEqual(refusal(await make(fields)), [404, 'not_found'], JSON.stringify(fields))
  const { id: herself } = jsonOf(await as('ada', 'GET', '/v1/me'))
  for (const fields of [{ userId: 'of-acme', groupId: 'group-acme' }, { userId: herself }, {}])
    assert.equal((await make(fields)).status, 201, JSON.stringify(fields))
})

test('a customer’s webhook is never plain http', async () => {
  const budget = { scope: 'organization', unit: 'USD', period: 'day', limit: '1', webhookUrl: 'http://127.0.0.1:8084/' }
  assert.deepEqual(refusal(await as('ada', 'PUT', at('budgets'), budget)), [400, 'invalid_request'])
})

test('an admin gets the secret that signs a budget’s alerts, once; a new one signs beside it, and nobody else’s is given', async () => {
  const budget = { scope: 'organization', unit: 'EUR', period: 'month', limit: '5' }
  const set = async (user: string, customer: Customer): Promise<string> =>
    jsonOf(await as(user, 'PUT', at('budgets', customer), { ...budget, unit: 'tokens', webhookUrl: 'https://same.example/hook' }))['id'] ??
    ''
  const [mine, theirs] = [await set('ada', acme), await set('eve', other)]
  const path = at(`budgets/${mine}/webhook-secret`)
  assert.deepEqual(refusal(await as('vic', 'POST', path)), [403, 'insufficient_role'])
  assert.deepEqual(refusal(await as('ada', 'POST', at(`budgets/${theirs}/webhook-secret`))), [404, 'not_found'])
  const first = await as('ada', 'POST', path)
  assert.equal(first.status, 201, first.text)
  assert.match(jsonOf(first)['secret'] ?? '', /^whsec_[A-Za-z0-9+/]{43}=$/)
  assert.equal(jsonOf(first)['oldEndsAt'], undefined)
  const second = jsonOf(await as('ada', 'POST', path, { overlapSeconds: 600 }))
  assert.notEqual(second['secret'], jsonOf(first)['secret'])
  assert.ok(Date.parse(second['oldEndsAt'] ?? '') > Date.now() + 590_000)
  // Of the same URL, and another secret all the same.
  const eves = jsonOf(await as('eve', 'POST', at(`budgets/${theirs}/webhook-secret`, other)))
  assert.ok(![second['secret'], jsonOf(first)['secret']].includes(eves['secret']))
  type Listed = { data: { id: string; isOwn: boolean; webhookSecretSince?: string }[] }
  const listed = jsonOf<Listed>(await as('vic', 'GET', at('budgets')))
  const found = listed.data.find(({ id }) => id === mine)
  assert.ok(found?.isOwn === true && found.webhookSecretSince !== undefined)
  assert.ok(
    listed.data.some(({ isOwn }) => !isOwn),
    'the provider’s stand beside it',
  )
  const log = JSON.stringify(await operators.log(acme.id))
  assert.ok(log.includes('webhook-secret') && !log.includes(second['secret'] ?? 'x'))
  const salts = await db.query('select salt from budget_webhook_secret')
  assert.ok(salts.rows.length === 3 && !JSON.stringify(salts.rows).includes('whsec_'))
})

test('the log is narrowed, checked and taken away by whoever may read it', async () => {
  const path = at('access-log')
  type Page = { data: { kind: string; actor: { kind: string } }[] }
  const writes = jsonOf<Page>(await as('vic', 'GET', `${path}?kind=write&kind=write_end&by=user`))
  assert.ok(writes.data.length > 0 && writes.data.every(({ kind }) => kind.startsWith('write')))
  const today = new Date().toISOString().slice(0, 10)
  assert.deepEqual(jsonOf<Page>(await as('vic', 'GET', `${path}?to=2020-01-01`)).data, [])
  assert.ok(jsonOf<Page>(await as('vic', 'GET', `${path}?from=${today}&to=${today}`)).data.length > 0)
  assert.deepEqual(refusal(await as('vic', 'GET', `${path}?kind=everything`)), [400, 'invalid_request'])
  assert.deepEqual(refusal(await as('vic', 'GET', `${path}?from=2026-02-02&to=2026-02-01`)), [400, 'invalid_request'])
  assert.deepEqual(refusal(await as('eve', 'GET', `${path}/verification`)), [404, 'organization_not_found'])
  const checked = jsonOf<{ isWhole: boolean; lines: number; checked: number; head: { sequence: number } }>(
    await as('vic', 'GET', `${path}/verification`),
  )
  assert.ok(checked.isWhole && checked.checked === checked.lines && checked.head.sequence >= checked.lines)
  const file = await as('vic', 'GET', `${path}/export`)
  const report = await verifyAudit(file.text.trimEnd().split('\n'))
  assert.deepEqual(report.problems, [])
  assert.deepEqual(
    report.chains.map(({ chain, last, coveredUntil }) => [chain, last === coveredUntil]),
    [[acme.id, true]],
  )
})
