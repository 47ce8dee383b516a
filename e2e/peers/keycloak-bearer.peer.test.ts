import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createBearerVerifier, createKeySet, discoverIssuer } from '@ascribe/identity/jwt'
import type { BearerOutcome } from '@ascribe/identity/jwt'
import { silentLogger } from '@ascribe/kit'
import { keycloak } from './keycloak/install.ts'
import { startKeycloak } from './keycloak/start.ts'
import type { Keycloak } from './keycloak/start.ts'

// Tokens of a real Keycloak under the verifier that the public listener uses for programs of customers.

const ORGANIZATION = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const available = await keycloak()

describe('tokens of a real Keycloak', { skip: available.skip }, () => {
  let server: Keycloak
  let verify: (token: string) => Promise<BearerOutcome>

  before(async () => {
    server = await startKeycloak(available.skip === false ? { installed: available.installed } : {})
    await server.setAttributes('ada', { organization_id: [ORGANIZATION] })
    const issuer = server.issuer('customers')
    const keys = createKeySet({ jwksUrl: async () => (await discoverIssuer(issuer)).jwks_uri, name: issuer, logger: silentLogger })
    const verifier = createBearerVerifier({ issuer, audience: 'ascribe', roleClaim: 'ascribe_role', keys })
    verify = (token) => verifier.verify(token)
  })
  after(() => server[Symbol.asyncDispose]())

  const checkOf = (outcome: BearerOutcome): string => (outcome.kind === 'refused' ? outcome.check : outcome.kind)

  test('bearer: a token of a user says who, of which organization, and as what', async () => {
    const outcome = await verify(await server.userToken('ada'))
    assert.ok(outcome.kind === 'verified', JSON.stringify(outcome))
    const { organizations, role, name, email } = outcome.principal
    assert.deepEqual([organizations, role, name, email], [[ORGANIZATION], 'admin', 'Ada Demo', 'ada@demo.example'])
  })

  test('bearer: somebody of no organization is told apart from somebody of one', async () => {
    const outcome = await verify(await server.userToken('vic'))
    assert.ok(outcome.kind === 'verified')
    assert.deepEqual([outcome.principal.organizations, outcome.principal.role], [[], 'viewer'])
  })

  test('bearer: a token for somebody else, and one of another realm, are refused', async () => {
    assert.equal(checkOf(await verify(await server.userToken('ada', { clientId: 'other-program' }))), 'audience')
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'untrusted_service', client_secret: 'un-secret' })
    const reply = await fetch(`${server.issuer('cloud')}/protocol/openid-connect/token`, { method: 'POST', body })
    const { access_token: foreign } = (await reply.json()) as { readonly access_token: string }
    assert.notEqual(checkOf(await verify(foreign)), 'verified')
  })

  test('bearer: the ID token of the same sign-in is refused: it is for the client, not for us', async () => {
    const form = { grant_type: 'password', client_id: 'ascribe-program', username: 'ada', password: 'ada-password', scope: 'openid' }
    const reply = await fetch(`${server.issuer('customers')}/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    const { id_token: id } = (await reply.json()) as { readonly id_token: string }
    assert.notEqual(checkOf(await verify(id)), 'verified')
  })

  test('bearer: a rotated key works at once, without the cooldown of a remote key set, and old tokens go on', async () => {
    const old = await server.userToken('ada')
    assert.equal(checkOf(await verify(old)), 'verified')
    for (let turn = 0; turn < 2; turn += 1) {
      // Twice within seconds: jose's own remote set would refuse the second for 30 s.
      await server.rotateKey('customers')
      assert.equal(checkOf(await verify(await server.userToken('ada'))), 'verified')
    }
    assert.equal(checkOf(await verify(old)), 'verified')
  })
})
