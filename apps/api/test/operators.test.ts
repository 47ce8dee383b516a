import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { moveOrganization, readInstallationLog } from '@ascribe/ledger'
import { CONSOLE, NOBODY, NORA, OLGA, OTTO, assertUncached, openOperators, refusal, send } from './operators-support.ts'
import { createCustomer, settle, usageRecord } from './support.ts'

const operators = await openOperators()
after(() => operators[Symbol.asyncDispose]())
const { db } = operators
const ORGANIZATION = '/api/organization'

test('R23, R26: an operator says why before looking, and the customer reads who looked, when, why and what was opened', async () => {
  const acme = await createCustomer(db, 'Acme')
  assert.deepEqual(refusal(await operators.read(OLGA, acme.id, ORGANIZATION)), [403, 'acting_session_required'])
  const begun = await operators.begin(OLGA, acme.id, { reason: 'her bill looks odd', ticket: 'T-77', minutes: '20' })
  assert.equal(begun.status, 201, begun.text)
  const session = JSON.parse(begun.text) as { delegation: object; expiresAt: string; startedAt: string }
  // R25: delegation, never a silent swap.
  assert.deepEqual(session.delegation, {
    sub: acme.id,
    act: { sub: OLGA, iss: operators.teleport.issuer },
    scope: 'billing:read',
    reason: 'her bill looks odd',
    ticket: 'T-77',
    exp: Math.floor(Date.parse(session.expiresAt) / 1000),
  })
  assert.equal(Date.parse(session.expiresAt) - Date.parse(session.startedAt), 20 * 60_000)

  const seen = await operators.read(OLGA, acme.id, `${ORGANIZATION}?`, ['origin', CONSOLE])
  assert.equal(seen.status, 200, seen.text)
  assertUncached(seen)
  assert.equal(seen.headers['x-acting-as'], `organization=${acme.id}; operator=${OLGA}`)
  assert.equal(seen.headers['x-acting-expires'], session.expiresAt)
  assert.equal(seen.headers['access-control-allow-origin'], CONSOLE)
  assert.equal(seen.headers['access-control-allow-credentials'], 'true')
  assert.equal(seen.headers['access-control-expose-headers'], 'X-Request-Id, X-Acting-As, X-Acting-Expires, Content-Disposition')

  const reply = await send(`${operators.api}/v1/organizations/${acme.id}/access-log`, {
    headers: ['authorization', `Bearer ${acme.billing.key}`],
  })
  const { data, head } = JSON.parse(reply.text) as { data: Record<string, unknown>[]; head: { sequence: number } }
  const [read, start] = data
  assert.deepEqual(
    [read?.['kind'], read?.['method'], read?.['path'], read?.['status'], read?.['requestId']],
    ['read', 'GET', ORGANIZATION, 200, seen.headers['x-request-id']],
  )
  assert.deepEqual(
    [read?.['actor'], start?.['kind']],
    [{ kind: 'operator', id: OLGA, issuer: operators.teleport.issuer, roles: ['access', 'billing-viewer'], via: 'teleport' }, 'session'],
  )
  assert.deepEqual((read?.['act'] as { reason: string } | undefined)?.reason, 'her bill looks odd')
  assert.equal(head.sequence, (data[0] as { sequence: number }).sequence)
})

test('an acting session is of one operator and one organization, ends when it is told to, and its end can be told twice', async () => {
  const [acme, other] = [await createCustomer(db, 'Acme'), await createCustomer(db, 'Other')]
  assert.equal((await operators.begin(OLGA, acme.id)).status, 201)
  assert.deepEqual(refusal(await operators.begin(OLGA, acme.id)), [409, 'conflict'])
  assert.deepEqual(refusal(await operators.read(OLGA, other.id, ORGANIZATION)), [403, 'acting_session_required'])
  assert.deepEqual(refusal(await operators.read(OTTO, acme.id, ORGANIZATION)), [403, 'acting_session_required'])
  const end = async (): Promise<unknown> => {
    const ended = await send(`${operators.internal}/v1/acting-sessions/end`, {
      method: 'POST',
      headers: [...(await operators.as(OLGA)), 'sec-fetch-site', 'same-origin', 'content-type', 'application/x-www-form-urlencoded'],
      body: `organization=${acme.id}`,
    })
    return [ended.status, JSON.parse(ended.text)]
  }
  assert.deepEqual(await end(), [200, { ended: true }])
  const [, code] = refusal(await operators.read(OLGA, acme.id, ORGANIZATION))
  assert.match(code, /^acting_session_/)
  assert.deepEqual(await end(), [200, { ended: false }])
  const kinds = (await operators.log(acme.id)).map(({ kind, status }) => [kind, status])
  assert.deepEqual(kinds.slice(0, 2), [
    ['session', 200],
    ['refusal', 403],
  ])
})

test('POST /v1/acting-sessions wants reason, ticket and at most 60 minutes, in a form, each once (R26)', async () => {
  const { id } = await createCustomer(db, 'Acme')
  for (const fields of [
    { reason: '' },
    { reason: '   ' },
    { ticket: '' },
    { minutes: '61' },
    { minutes: '0' },
    { minutes: '1.5' },
    { organization: 'x' },
    { more: '1' },
  ] as Record<string, string>[]) {
    assert.deepEqual(refusal(await operators.begin(OLGA, id, fields)), [400, 'invalid_request'], JSON.stringify(fields))
  }
  const url = `${operators.internal}/v1/acting-sessions`
  const from = ['origin', CONSOLE]
  const who = await operators.as(OLGA)
  const form = ['content-type', 'application/x-www-form-urlencoded']
  const twice = await send(url, {
    method: 'POST',
    headers: [...who, ...from, ...form],
    body: `organization=${id}&reason=a&reason=b&ticket=t`,
  })
  assert.deepEqual(refusal(twice), [400, 'invalid_request'])
  const json = await send(url, { method: 'POST', headers: [...who, ...from, 'content-type', 'application/json'], body: '{}' })
  assert.deepEqual(refusal(json), [415, 'unsupported_media_type'])
  // R17: another page cannot begin one in the operator's name.
  for (const headers of [['origin', 'https://evil.example'], ['sec-fetch-site', 'cross-site'], ['sec-fetch-site', 'same-site'], []]) {
    const foreign = await send(url, {
      method: 'POST',
      headers: [...who, ...headers, ...form],
      body: `organization=${id}&reason=a&ticket=t`,
    })
    assert.deepEqual(refusal(foreign), [403, 'origin_refused'])
  }
  // No chaining, no silent swap: what the request names beside its form must be the same.
  const other = await createCustomer(db, 'Other')
  const two = await send(url, {
    method: 'POST',
    headers: [...who, ...from, ...form, 'accept', other.id],
    body: `organization=${id}&reason=a&ticket=t`,
  })
  assert.deepEqual(refusal(two), [400, 'organization_ambiguous'])
  assert.deepEqual(
    (await operators.log(id)).map(({ kind }) => kind),
    [],
  )
  assert.deepEqual(refusal(await operators.begin(OLGA, NOBODY)), [404, 'organization_not_found'])
  assert.deepEqual(refusal(await operators.begin(NORA, id)), [403, 'insufficient_role'])
})

test('a reply with a child’s data leaves a line in the child’s own log, whoever reads it', async () => {
  const parent = await createCustomer(db, 'Parent')
  const child = await createCustomer(db, 'Child')
  assert.equal(await moveOrganization(db, { id: child.id, parentId: parent.id }), 'moved')
  const stranger = await createCustomer(db, 'Stranger')
  await settle(db, [usageRecord({ authId: parent.billing.authId }), usageRecord({ authId: child.billing.authId })])
  assert.equal((await operators.begin(OLGA, parent.id)).status, 201)
  const path = '/api/costs/breakdown/daily?startDate=2026-03-01&endDate=2026-03-02'
  assert.equal((await operators.read(OLGA, parent.id, path)).status, 200)
  const [line] = await operators.log(child.id)
  assert.deepEqual([line?.kind, line?.actor.id, line?.aboutOrganizationId, line?.act?.ticket], ['read', OLGA, parent.id, 'T-1'])
  // The parent itself: nothing in its own log, a line in the child's.
  const before = (await operators.log(parent.id)).length
  const bearer = ['authorization', `Bearer ${parent.billing.key}`]
  assert.equal((await send(operators.api + path, { headers: bearer })).status, 200)
  assert.equal((await send(`${operators.api}/v1/organizations/${child.id}/statement?month=2026-03`, { headers: bearer })).status, 200)
  assert.equal((await operators.log(parent.id)).length, before)
  const lines = (await operators.log(child.id)).map(({ actor, path: opened }) => [actor.kind, opened])
  assert.deepEqual(lines.slice(0, 2), [
    ['key', `/v1/organizations/${child.id}/statement`],
    ['key', '/api/costs/breakdown/daily'],
  ])
  const strange = await send(`${operators.api}/v1/organizations/${child.id}/statement?month=2026-03`, {
    headers: ['authorization', `Bearer ${stranger.billing.key}`],
  })
  assert.deepEqual(refusal(strange), [404, 'organization_not_found'])
  assert.equal((await operators.log(child.id)).length, lines.length)
})

test('GET /v1/operator/organizations finds names and ids, by name, id and key, with a line in the installation’s log', async () => {
  const acme = await createCustomer(db, 'Findable & Sons')
  const find = async (q: string): Promise<{ status: number; data: unknown }> => {
    const reply = await send(`${operators.internal}/v1/operator/organizations?q=${encodeURIComponent(q)}`, {
      headers: await operators.as(OLGA),
    })
    return { status: reply.status, data: (JSON.parse(reply.text) as { data?: unknown }).data }
  }
  for (const q of ['findable', acme.id, acme.billing.authId]) {
    assert.deepEqual(await find(q), { status: 200, data: [{ id: acme.id, name: 'Findable & Sons' }] }, q)
  }
  assert.deepEqual((await find('nobody at all')).data, [])
  assert.equal((await find('')).status, 400)
  const log = await readInstallationLog(db, {})
  assert(log !== 'bad_cursor')
  const found = log.entries.filter(({ path, kind }) => path === '/v1/operator/organizations' && kind === 'read')
  assert.deepEqual(found.map(({ actor, query }) => [actor.id, query]).at(-1), [OLGA, 'q=findable'])
})
