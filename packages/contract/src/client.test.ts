import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApiClient } from './client.ts'

const STATEMENT = {
  organization_id: '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f',
  month: '2026-11',
  currency: 'USD',
  provisional: true,
  total: '0',
  lines: [],
  held: { unpriced: 0, unattributed: 0, unknown: 0 },
}

function clientOf(status: number, body: unknown, asked: string[] = []): ReturnType<typeof createApiClient> {
  const fetch = async (url: string): Promise<{ status: number; json: () => Promise<unknown> }> => {
    asked.push(url)
    return { status, json: () => Promise.resolve(body) }
  }
  return createApiClient({ baseUrl: 'http://127.0.0.1:1', key: 'k', fetch })
}

test('statement() asks for the path of the contract and gives a checked reply', async () => {
  const asked: string[] = []
  assert.deepEqual(await clientOf(200, STATEMENT, asked).statement('a/b', { month: '2026-11' }), STATEMENT)
  assert.deepEqual(asked, ['http://127.0.0.1:1/v1/organizations/a%2Fb/statement?month=2026-11'])
})

test('statement() refuses a reply that breaks the contract: money as a number is one', async () => {
  await assert.rejects(clientOf(200, { ...STATEMENT, total: 12.5 }).statement('x', { month: '2026-11' }), {
    code: 'API_REQUEST_FAILED',
    status: 200,
  })
})

test('statement() carries the status and the code of a refusal', async () => {
  const body = {
    reason: 'not_found',
    code: 'organization_not_found',
    message: 'no such organization',
    requestId: '9e8b1bc8-fa08-4870-a21f-22ac01cc3808',
  }
  await assert.rejects(clientOf(404, body).statement('x', { month: '2026-11' }), { status: 404, apiCode: 'organization_not_found' })
  await assert.rejects(clientOf(502, '<html>').statement('x', { month: '2026-11' }), { status: 502, apiCode: undefined })
})
