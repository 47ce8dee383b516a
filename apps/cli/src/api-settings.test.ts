import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InternalSchema, OidcSchema, TeleportSchema, planInternal, planSignIn } from './api-settings.ts'
import type { ApiSettings } from './api-settings.ts'

const settings = (teleport: object, internal: object): Pick<ApiSettings, 'teleport' | 'internal'> => ({
  teleport: TeleportSchema.parse(teleport),
  internal: InternalSchema.parse(internal),
})
const TELEPORT = {
  jwks: 'https://teleport.example.com/.well-known/jwks.json',
  issuer: 'teleport.example.com',
  audience: 'http://127.0.0.1:8083',
}

test('planInternal() is off, and says why, when nothing of Teleport is set', () => {
  assert.deepEqual(planInternal(settings({}, {})), { kind: 'off', why: 'there is no Teleport in the configuration' })
})

test('planInternal() names all that lacks of half a configuration, by flag and key', () => {
  assert.throws(() => planInternal(settings({ jwks: TELEPORT.jwks }, {})), {
    message:
      'Cannot start the internal listener: --teleport-issuer (teleport.issuer), --teleport-audience (teleport.audience), --viewer-role (internal.viewer_roles or internal.viewers) are missing',
  })
  assert.throws(() => planInternal(settings(TELEPORT, {})), { message: /: --viewer-role .* is missing$/ })
  assert.throws(() => planInternal(settings({}, { viewer_roles: ['a'] })), { message: /--teleport-jwks/ })
})

test('planInternal() is on with roles, rules, origins and what they default to', () => {
  const viewers = [{ roles: ['partner'], organizations: { ids: ['9e8b1bc8-fa08-4870-a21f-22ac01cc3808'] }, search: false }]
  const plan = planInternal(
    settings(TELEPORT, { viewer_roles: ['billing-viewer'], viewers, allow_origins: ['https://console.example.com'] }),
  )
  assert(plan.kind === 'on')
  assert.deepEqual(
    plan.viewers.map(({ roles }) => roles),
    [['billing-viewer'], ['partner']],
  )
  assert.deepEqual(
    [plan.config.acting, plan.config.actingTtlMs, plan.config.organizationFrom, plan.config.allowOrigins.length],
    ['required', 3_600_000, ['accept', 'vendor', 'header'], 1],
  )
  assert.throws(() => planInternal(settings(TELEPORT, { viewer_roles: ['a'], allow_origins: ['https://*.example.com'] })), {
    message: /wildcard/,
  })
  assert.throws(() => InternalSchema.parse({ acting_ttl: '61m' }))
})

test('planSignIn() takes nothing, or issuer and audience; a secret without a client is half of one', () => {
  const oidc = (fields: object): ReturnType<typeof planSignIn> => planSignIn(OidcSchema.parse(fields), () => 'http://127.0.0.1:1')
  assert.equal(oidc({}), undefined)
  const issuer = 'https://login.example.com'
  for (const half of [{ issuer }, { audience: 'a' }, { client_id: 'c' }, { role_claim: 'r' }])
    assert.throws(() => oidc(half), { message: /^Cannot take tokens of an identity provider: --oidc-(issuer|audience)/ })
  const whole = oidc({ issuer, audience: 'a', role_claim: 'roles', admin_roles: ['boss'], client_id: 'c' })
  assert.deepEqual([whole?.roleClaim, whole?.roles?.admin, whole?.client?.publicUrl()], ['roles', ['boss'], 'http://127.0.0.1:1'])
})
