import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Me } from '@ascribe/contract/login'
import { Browser } from './browser.ts'
import type { Page } from './browser.ts'
import { startRig } from './login-support.ts'
import type { LoginRig } from './login-support.ts'
import { createKey } from './support.ts'

let rig: LoginRig
before(async () => {
  rig = await startRig()
})
after(() => rig[Symbol.asyncDispose]())

const ask = (path: string, headers: Readonly<Record<string, string>>): Promise<Page> => new Browser().send(`${rig.url}${path}`, { headers })
const bearer = (token: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${token}`,
  ...more,
})
const me = ({ text }: Page): Me => JSON.parse(text) as Me
const code = ({ text }: Page): string => (JSON.parse(text) as { code: string }).code
const statement = (id: string): string => `/v1/organizations/${id}/statement?month=2026-03`

test('identify() knows a program by the token of its user, with organization and role', async () => {
  const reply = await ask('/v1/me', bearer(rig.issuer.userToken('vic')))
  const { kind, organizationId, role, via } = me(reply)
  assert.deepEqual({ kind, organizationId, role, via }, { kind: 'user', organizationId: rig.acme, role: 'viewer', via: 'bearer' })
  assert.equal((await ask(statement(rig.acme), bearer(rig.issuer.userToken('vic')))).status, 200)
  assert.equal((await ask(statement(rig.beta), bearer(rig.issuer.userToken('vic')))).status, 404)
})

test('identify() knows a key, on an installation with an issuer too', async () => {
  const { key, authId } = await createKey(rig.db, rig.acme, ['billing:read'])
  const { kind, id, organizationId, scopes, via } = me(await ask('/v1/me', bearer(key)))
  assert.deepEqual(
    { kind, id, organizationId, scopes, via },
    { kind: 'key', id: authId, organizationId: rig.acme, scopes: ['billing:read'], via: 'api_key' },
  )
  assert.equal((await ask('/v1/me', bearer(`${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`))).status, 401)
})

test('identify() answers every bad token with one word, and tells nothing of why', async () => {
  const tokens = [
    rig.issuer.userToken('ada', { audience: 'other' }),
    rig.issuer.userToken('ada', { ttlS: -60 }),
    rig.issuer.userToken('ada', { faults: { wrongKey: true } }),
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.',
    'x'.repeat(10_000),
    'a.b.c',
  ]
  const texts = new Set<string>()
  for (const token of tokens) {
    const reply = await ask('/v1/me', bearer(token))
    assert.equal(reply.status, 401)
    assert.equal(reply.headers.get('www-authenticate'), 'Bearer')
    texts.add((JSON.parse(reply.text) as { message: string }).message)
  }
  assert.ok(texts.size <= 2)
})

test('identify() wants to know for which organization a user of several asks, and takes one of his only', async () => {
  const token = rig.issuer.userToken('max')
  assert.deepEqual(me(await ask('/v1/me', bearer(token))).organizations.length, 2)
  // The path says it.
  assert.equal((await ask(statement(rig.acme), bearer(token))).status, 200)
  assert.equal((await ask(statement(rig.beta), bearer(token))).status, 200)
  const read = (more: Readonly<Record<string, string>>): Promise<Page> => ask('/api/organization', bearer(token, more))
  assert.equal(code(await read({})), 'organization_required')
  assert.equal((await read({ 'x-ascribe-organization': rig.beta })).status, 200)
  assert.equal(code(await read({ 'x-ascribe-organization': 'ffffffff-ffff-4fff-bfff-ffffffffffff' })), 'organization_not_found')
  const { key } = await createKey(rig.db, rig.acme, ['billing:read'])
  for (const other of [rig.issuer.userToken('vic'), key]) {
    assert.equal((await ask('/api/organization', bearer(other))).status, 200)
    assert.equal((await ask('/api/organization', bearer(other, { 'x-ascribe-organization': rig.acme }))).status, 200)
    const reply = await ask('/api/organization', bearer(other, { 'x-ascribe-organization': rig.beta }))
    assert.equal(code(reply), 'organization_not_found')
  }
})

test('identify() goes on while keys of the issuer rotate', async () => {
  const old = rig.issuer.userToken('ada')
  assert.equal((await ask('/v1/me', bearer(old))).status, 200)
  await rig.issuer.rotateKeys()
  assert.equal((await ask('/v1/me', bearer(rig.issuer.userToken('ada')))).status, 200)
  assert.equal((await ask('/v1/me', bearer(old))).status, 200)
})

test('identify() lets nobody in whose token speaks of roles, and of none that is one here', async () => {
  await using strict = await startRig({ roles: { admin: ['admin'], viewer: ['accountant'] } })
  const send = (username: string): Promise<Page> =>
    new Browser().send(`${strict.url}/api/organization`, { headers: bearer(strict.issuer.userToken(username)) })
  assert.equal((await send('ada')).status, 200)
  assert.equal(code(await send('vic')), 'insufficient_role')
  const { page, browser } = await strict.signIn('vic')
  assert.equal(code(page), 'insufficient_role')
  assert.ok(!browser.set.some((set) => set.startsWith('ascribe_session=')))
})
