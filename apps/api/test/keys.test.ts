import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApiKey } from '@ascribe/identity'
import { createCredential, mapAuthId, rotateCredential, syncDirectory } from '@ascribe/ledger'
import { MONTH, codeOf, createCustomer, createKey, openApi, openLedger, serverSecret } from './support.ts'

test('the API takes every key that is in force, and none that has ended, whatever ended it', async () => {
  await using db = await openLedger()
  await using api = await openApi(db)
  const acme = await createCustomer(db, 'Acme')
  const other = await createCustomer(db, 'Other')
  const path = `/v1/organizations/${acme.id}/statement?month=${MONTH}`
  const codes = async (...keys: readonly string[]): Promise<unknown[]> =>
    Promise.all(keys.map(async (key) => codeOf(await api.get(path, key)) ?? 'ok'))

  const { key: expired, ...made } = createApiKey(serverSecret)
  await createCredential(db, { ...made, organizationId: acme.id, scopes: ['billing:read'], expiresAt: Date.now() - 1000 })
  assert.deepEqual(await codes(expired), ['unauthenticated'])

  const { key: second, ...next } = createApiKey(serverSecret)
  await rotateCredential(db, { ...next, authId: acme.billing.authId, overlapMs: 60_000 })
  assert.deepEqual(await codes(acme.billing.key, second), ['ok', 'ok'], 'old and new together')
  const { key: third, ...last } = createApiKey(serverSecret)
  await rotateCredential(db, { ...last, authId: acme.billing.authId, overlapMs: 0 })
  assert.deepEqual(await codes(acme.billing.key, second, third), ['unauthenticated', 'unauthenticated', 'ok'])

  const moved = await createKey(db, acme.id, ['billing:read'])
  assert.deepEqual(await codes(moved.key), ['ok'])
  await mapAuthId(db, { authId: moved.authId, organizationId: other.id })
  assert.deepEqual(await codes(moved.key), ['organization_not_found'])
  await syncDirectory(db, { mappings: [{ auth_id: moved.authId, organization: null }] }, {})
  assert.deepEqual(await codes(moved.key), ['unauthenticated'], "nobody's")
})
