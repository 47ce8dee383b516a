import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApiClient } from './client.ts'
import type { ApiClient } from './client.ts'
import type { ClientFetch, ClientIdentity, ClientReply } from './client-request.ts'
import { createOrganization } from './admin/organization-routes.ts'
import { startActingSession } from './internal-routes.ts'
import { getStatement, listUsageRecords } from './routes.ts'
import { createKey } from './writes/key-routes.ts'

const ID = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'
const STATEMENT = {
  organization_id: ID,
  month: '2026-11',
  currency: 'USD',
  provisional: true,
  total: '0',
  lines: [],
  held: { unpriced: 0, unattributed: 0, unknown: 0 },
}

type Sent = { readonly url: string } & Parameters<ClientFetch<ClientReply>>[1]

function clientOf(
  status: number,
  body: unknown,
  identity: ClientIdentity = { kind: 'bearer', token: 'k' },
): { client: ApiClient; sent: Sent[] } {
  const sent: Sent[] = []
  const fetch: ClientFetch<ClientReply> = async (url, init) => {
    sent.push({ url, ...init })
    return { status, headers: { get: () => null }, json: () => Promise.resolve(body), text: () => Promise.resolve('') }
  }
  return { client: createApiClient({ baseUrl: 'http://127.0.0.1:1', identity, fetch }), sent }
}

test('call() asks for the path of the contract and gives a checked reply', async () => {
  const { client, sent } = clientOf(200, STATEMENT)
  assert.deepEqual(await client.call(getStatement, { params: { id: 'a/b' }, query: { month: '2026-11' } }), STATEMENT)
  assert.deepEqual(sent, [
    {
      url: 'http://127.0.0.1:1/v1/organizations/a%2Fb/statement?month=2026-11',
      method: 'GET',
      headers: { authorization: 'Bearer k' },
      credentials: 'omit',
    },
  ])
})

test('call() refuses a reply that breaks the contract: money as a number is one', async () => {
  const { client } = clientOf(200, { ...STATEMENT, total: 12.5 })
  await assert.rejects(client.call(getStatement, { params: { id: 'x' }, query: { month: '2026-11' } }), {
    code: 'API_REQUEST_FAILED',
    status: 200,
  })
})

test('call() carries status, code and request id of a refusal, and status 0 when nothing may be read (R13)', async () => {
  const body = { reason: 'not_found', code: 'organization_not_found', message: 'no such organization', requestId: ID }
  const ask = (client: ApiClient): Promise<unknown> => client.call(getStatement, { params: { id: 'x' }, query: { month: '2026-11' } })
  await assert.rejects(ask(clientOf(404, body).client), { status: 404, apiCode: 'organization_not_found', requestId: ID })
  await assert.rejects(ask(clientOf(502, '<html>').client), { status: 502, apiCode: undefined })
  const away = createApiClient({
    baseUrl: 'http://127.0.0.1:1',
    identity: { kind: 'cookie' },
    fetch: () => Promise.reject(new TypeError('Failed to fetch')),
  })
  await assert.rejects(ask(away), { code: 'API_REQUEST_FAILED', status: 0 })
})

test('call() of an operator sends a simple request: Accept is the organization, and there is no other header (R14, R15)', async () => {
  const { client, sent } = clientOf(200, STATEMENT, { kind: 'operator', organizationId: ID })
  await client.call(getStatement, { params: { id: ID }, query: { month: '2026-11' } })
  assert.deepEqual([sent[0]?.headers, sent[0]?.credentials, sent[0]?.method], [{ accept: ID }, 'include', 'GET'])
})

test('call() of an operator refuses every write before it is sent, but for sessions, which are forms (R2)', async () => {
  const session = {
    id: ID,
    organizationId: ID,
    operator: 'olga',
    reason: 'a & b',
    ticket: 't',
    startedAt: '2026-11-22T00:00:00Z',
    expiresAt: '2026-11-22T01:00:00Z',
    delegation: { sub: ID, act: { sub: 'olga', iss: 'c' }, scope: 'billing:read', reason: 'a & b', ticket: 't', exp: 1 },
  }
  const { client, sent } = clientOf(201, session, { kind: 'operator', organizationId: ID })
  const body = { name: 'k', scopes: ['inference' as const] }
  await assert.rejects(client.call(createKey, { params: { id: ID }, body }), { code: 'API_READ_ONLY' })
  await assert.rejects(client.call(createOrganization, { body: { name: 'x' } }), { code: 'API_READ_ONLY' })
  assert.equal(sent.length, 0)
  await client.call(startActingSession, { body: { organization: ID, reason: 'a & b', ticket: 't', minutes: 5 } })
  assert.deepEqual(
    [sent[0]?.body, sent[0]?.headers['content-type']],
    [`organization=${ID}&reason=a+%26+b&ticket=t&minutes=5`, 'application/x-www-form-urlencoded'],
  )
})

test('call() passes on signals, repeated parameters and idempotency keys (R3)', async () => {
  const { signal } = new AbortController()
  const made = { id: ID, name: 'x', currency: 'USD', createdAt: '2026-11-22T00:00:00Z' }
  const { client, sent } = clientOf(201, made)
  assert.deepEqual(await client.call(createOrganization, { body: { name: 'x' }, signal, idempotencyKey: 'i' }), made)
  assert.deepEqual([sent[0]?.signal, sent[0]?.headers['idempotency-key'], sent[0]?.body], [signal, 'i', '{"name":"x"}'])
  await clientOf(200, {}).client.open(listUsageRecords, { params: { id: ID }, query: { month: '2026-11', limit: 5 } })
})

test('call() never breaks on what a newer server says besides, and always on what is not as it was agreed', async () => {
  const made = { id: ID, name: 'x', currency: 'USD', createdAt: '2026-11-22T00:00:00Z' }
  const call = async (reply: object) => clientOf(201, reply).client.call(createOrganization, { body: { name: 'x' } })
  assert.equal((await call({ ...made, color: 'red' })).id, ID)
  await assert.rejects(call({ ...made, id: 5, color: 'red' }), { code: 'API_REQUEST_FAILED', message: /breaks the contract/ })
})
