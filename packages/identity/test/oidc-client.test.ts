import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { silentLogger } from '@ascribe/kit'
import { createKeySet } from '../src/jwt.ts'
import { createOidcClient } from '../src/oidc.ts'
import type { OidcClient, RefreshOutcome, RefreshableSignIn } from '../src/oidc.ts'
import { newKey, sign, startIssuer } from './issuer.ts'
import type { SigningKey, TestIssuer } from './issuer.ts'

// What an issuer never says of itself, and somebody in its place might.

const CLIENT = 'ascribe-console'
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} }
let key: SigningKey
let issuer: TestIssuer
before(async () => {
  key = await newKey('RS256', 'k1')
  issuer = await startIssuer([key])
})
after(() => issuer[Symbol.asyncDispose]())

type Claims = Readonly<Record<string, unknown>>

const nowS = (): number => Math.floor(Date.now() / 1000)
const signed = (claims: Claims, typ = 'JWT'): Promise<string> =>
  sign(key, { claims: { iss: issuer.url, aud: CLIENT, iat: nowS(), exp: nowS() + 60, ...claims }, header: { typ } })

/** With the replies of its token endpoint. */
function clientOf(reply: () => Promise<object>): OidcClient {
  return createOidcClient({
    issuer: issuer.url,
    clientId: CLIENT,
    keys: createKeySet({ jwksUrl: issuer.jwksUrl, name: 'test', logger: silentLogger }),
    metadata: async () => ({ issuer: issuer.url, jwks_uri: issuer.jwksUrl, token_endpoint: `${issuer.url}/token` }),
    fetch: async () => Response.json(await reply()),
  })
}

test('readLogout() never takes another token of the issuer for the end of a session', async () => {
  const client = clientOf(async () => ({}))
  const logout = { sub: 'ada', sid: 's1', jti: 'j', events: EVENTS }
  assert.deepEqual(await client.readLogout(await signed(logout, 'logout+jwt')), { kind: 'logout', subject: 'ada', issuerSession: 's1' })
  assert.deepEqual(await client.readLogout(await signed({ ...logout, sub: undefined })), { kind: 'logout', issuerSession: 's1' })
  const refused: readonly (readonly [Claims, string])[] = [
    [{ ...logout, nonce: 'n' }, 'type'],
    [{ ...logout, events: {} }, 'type'],
    [{ ...logout, events: ['http://schemas.openid.net/event/backchannel-logout'] }, 'type'],
    [{ ...logout, events: undefined }, 'type'],
    [{ ...logout, iat: nowS() - 3600 }, 'expired'],
    [{ ...logout, aud: 'other' }, 'audience'],
    [{ ...logout, iss: 'https://other.example' }, 'issuer'],
    [{ ...logout, sub: undefined, sid: undefined }, 'subject'],
  ]
  for (const [claims, check] of refused) {
    const outcome = await client.readLogout(await signed(claims))
    assert.equal(outcome.kind === 'refused' ? outcome.check : outcome.kind, check, JSON.stringify(claims))
  }
})

test('refresh() never turns the session of one user into that of another', async () => {
  const before: RefreshableSignIn = {
    principal: { subject: 'ada', organizations: [], expiresAt: Date.now() },
    idToken: 'old',
    refreshToken: 'r1',
    expiresAt: Date.now(),
  }
  const refreshed = (claims: Claims | undefined, access: Claims): Promise<RefreshOutcome> =>
    clientOf(async () => ({
      access_token: await signed(access),
      token_type: 'Bearer',
      ...(claims !== undefined && { id_token: await signed(claims) }),
    })).refresh(before)
  const of = (outcome: RefreshOutcome): readonly string[] =>
    outcome.kind === 'refreshed' ? [outcome.signedIn.principal.subject, outcome.signedIn.principal.role ?? ''] : [outcome.kind]
  assert.deepEqual(of(await refreshed({ sub: 'ada' }, { sub: 'ada' })), ['ada', ''])
  assert.deepEqual(of(await refreshed({ sub: 'eve' }, { sub: 'eve' })), ['ended'])
  // Without an ID token the access token of somebody else says nothing: who it was he stays.
  const other = '9df348f3-6fb1-44a5-9ab0-2a2fe147a683'
  const kept = await refreshed(undefined, { sub: 'eve', organization_id: other })
  assert.deepEqual([of(kept), kept.kind === 'refreshed' && kept.signedIn.principal.organizations], [['ada', ''], []])
})
