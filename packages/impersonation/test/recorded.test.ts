import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ImpersonationError } from '../src/errors.ts'
import type { Reason } from '../src/errors.ts'
import { createIssuer } from '../src/issuer.ts'
import { requestRpt } from '../src/request-rpt.ts'
import { requestServiceToken } from '../src/request-service-token.ts'
import { SealedText } from '../src/sealed-text.ts'
import { decodeClaims } from '../src/token-claims.ts'
import type { WireRequest } from '../src/wire.ts'
import { jwtOf } from './support/jwt.ts'

// What the real Keycloak 26.7.4 answers, recorded; identity-and-kubernetes.md 2.1 and 2.2. Which error each answer is to us.

type Recorded = {
  readonly name: string
  readonly request: { readonly form?: Readonly<Record<string, unknown>> }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: unknown
    readonly 'exp-iat'?: number
  }
}

const folder = join(import.meta.dirname, 'recorded')
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as unknown

const client = { retryable: false, code: 'IMPERSONATION_CLIENT_REFUSED' }
const down = { retryable: true, code: 'IMPERSONATION_UNAVAILABLE' }

const SERVICE_TOKEN: Readonly<Record<string, Reason | number>> = {
  'cc-ok': 60_000,
  'cc-ok-short': 2_000,
  'cc-ok-lightweight': 300_000,
  'cc-ok-with-refresh-token': 300_000,
  'cc-ok-dead-on-arrival': 'expired_on_arrival',
  'cc-wrong-secret': 'client_refused',
  'cc-wrong-secret-basic': 'client_refused',
  'cc-unknown-client': 'client_refused',
  'cc-disabled-client': 'client_refused',
  'cc-missing-secret': 'client_refused',
  'cc-missing-client-id': 'client_refused',
  'cc-service-accounts-off': 'client_refused',
  'cc-public-client': 'client_refused',
  'cc-bearer-only-client': 'client_refused',
  'cc-basic-not-encoded': 'client_refused',
  'cc-service-user-disabled': 'client_refused',
  'cc-service-user-missing': 'client_refused',
  'cc-secret-expired': 'client_refused',
  'cc-rotated-secret-expired': 'client_refused',
  'cc-old-secret-after-regenerate': 'client_refused',
  'cc-unknown-scope': 'request_refused',
  'cc-duplicate-parameter': 'request_refused',
  'cc-unknown-grant-type': 'request_refused',
  'cc-json-body': 'request_refused',
  'cc-no-grant-type': 'request_refused',
  'cc-refused-by-policy': 'request_refused',
  'cc-get': 'request_refused',
  'cc-unknown-realm': 'realm_unknown',
  overload: 'server_error',
  'server-starting': 'server_error',
}

const RPT: Readonly<Record<string, Reason | number>> = {
  'uma-ok': 60_000,
  'uma-ok-short': 2_000,
  // Neither mode gives a token.
  'uma-ok-decision': 'answer_invalid',
  'uma-ok-permissions': 'answer_invalid',
  'uma-denied': 'permission_denied',
  'uma-denied-ticket': 'permission_denied',
  'uma-bearer-expired': 'bearer_refused',
  'uma-bearer-revoked': 'bearer_refused',
  'uma-bearer-garbage': 'bearer_refused',
  'uma-bearer-bad-signature': 'bearer_refused',
  'uma-bearer-user-disabled': 'bearer_refused',
  'uma-bearer-client-disabled': 'bearer_refused',
  'uma-bearer-client-deleted': 'bearer_refused',
  'uma-bearer-removed-key': 'bearer_refused',
  'uma-bearer-other-host': 'bearer_refused',
  'uma-bearer-not-before': 'bearer_refused',
  'uma-bearer-empty': 'bearer_refused',
  'uma-invalid-identity': 'client_refused',
  'uma-client-authentication-wrong-secret': 'client_refused',
  'uma-no-credentials': 'client_refused',
  'uma-audience-missing': 'request_refused',
  'uma-audience-unknown': 'request_refused',
  'uma-audience-without-authorization': 'request_refused',
  'uma-resource-unknown': 'request_refused',
  'uma-scope-of-other-resource': 'request_refused',
  'uma-scope-unknown': 'request_refused',
  'uma-rpt-invalid': 'request_refused',
  'uma-ticket-invalid': 'request_refused',
  'uma-invalid-response-mode': 'request_refused',
  'uma-evaluation-crash': 'server_error',
}

const issuer = createIssuer({ oauthUrl: 'https://oauth.example', realm: 'cloud' })

/** Answers with what was recorded; tokens get claims of the recorded life. */
function replay(name: string): { readonly transport: (request: WireRequest) => Promise<never>; readonly sent: WireRequest[] } {
  const { response } = read(name) as Recorded
  const life = response['exp-iat']
  const token = jwtOf({ iat: 1_000, exp: 1_000 + (life ?? 0), sub: 'someone' })
  const body = typeof response.body === 'string' ? response.body : JSON.stringify(response.body).replaceAll('<jwt>', token)
  const headers = new Map(Object.entries(response.headers).map(([header, value]) => [header.toLowerCase(), value]))
  const sent: WireRequest[] = []
  return {
    sent,
    transport: (request) => {
      sent.push(request)
      return Promise.resolve({ status: response.status, headers, body } as never)
    },
  }
}

async function outcomeOf(step: 'service_token' | 'rpt', name: string): Promise<number | ImpersonationError> {
  const { transport } = replay(name)
  const sealed = new SealedText('secret-canary')
  try {
    const options = { transport }
    const response =
      step === 'service_token'
        ? await requestServiceToken({ issuer, clientId: 'kubernetes_cluster_service', clientSecret: sealed }, options)
        : await requestRpt({ issuer, serviceToken: sealed }, options)
    return response.lifeMs
  } catch (error) {
    assert.ok(error instanceof ImpersonationError, String(error))
    return error
  }
}

for (const [step, cases] of [
  ['service_token', SERVICE_TOKEN],
  ['rpt', RPT],
] as const)
  for (const [name, expected] of Object.entries(cases))
    test(`step ${step} takes Keycloak's recorded ${name} for ${expected}`, async () => {
      const outcome = await outcomeOf(step, name)
      if (typeof outcome === 'number' || typeof expected === 'number') return assert.equal(outcome, expected)
      assert.equal(outcome.reason, expected)
      assert.equal(outcome.step, step)
      const kind = { retryable: outcome.retryable, code: outcome.code }
      if (['client_refused', 'request_refused', 'realm_unknown', 'permission_denied', 'bearer_refused'].includes(expected))
        assert.deepEqual(kind, client)
      if (expected === 'server_error') assert.deepEqual(kind, down)
      // Descriptions may repeat what was sent, so they stay out (H-15).
      const { body } = (read(name) as Recorded).response
      const description = (body as { error_description?: string }).error_description
      if (description !== undefined) assert.ok(!outcome.message.includes(description), outcome.message)
      assert.doesNotMatch(outcome.message, /canary|no_such_api|no-such/)
    })

test('every recorded answer has a test', () => {
  const claims = ['claims-rpt', 'claims-service-account', 'claims-service-account-lightweight']
  const tested = [...Object.keys(SERVICE_TOKEN), ...Object.keys(RPT), ...claims]
  assert.deepEqual(
    tested.toSorted(),
    readdirSync(folder)
      .map((file) => file.replace('.json', ''))
      .toSorted(),
  )
})

test('requestServiceToken() and requestRpt() send what was recorded, field for field', async () => {
  const first = replay('cc-ok')
  const clientSecret = new SealedText('odd&secret=+%')
  await requestServiceToken({ issuer, clientId: 'kubernetes_cluster_service', clientSecret }, { transport: first.transport })
  assert.deepEqual(Object.keys((read('cc-ok') as Recorded).request.form ?? {}), [...new URLSearchParams(first.sent[0]?.body).keys()])
  assert.equal(new URLSearchParams(first.sent[0]?.body).get('client_secret'), 'odd&secret=+%')
  assert.equal(first.sent[0]?.url.href, 'https://oauth.example/realms/cloud/protocol/openid-connect/token')
  const second = replay('uma-ok')
  await requestRpt({ issuer, serviceToken: new SealedText('sa') }, { transport: second.transport })
  assert.deepEqual((read('uma-ok') as Recorded).request.form, Object.fromEntries(new URLSearchParams(second.sent[0]?.body)))
  assert.equal(second.sent[0]?.headers['authorization'], 'Bearer sa')
})

test('a starting Keycloak says when to come back, in text, and is heard', async () => {
  const error = await outcomeOf('service_token', 'server-starting')
  assert.ok(error instanceof ImpersonationError)
  assert.equal(error.retryAfterMs, 1000)
})

test('decodeClaims() reads what Keycloak puts into its tokens, the lightweight ones too', () => {
  const claimsOf = (name: string): Readonly<Record<string, unknown>> =>
    (read(name) as { payload: Readonly<Record<string, unknown>> }).payload
  const rpt = decodeClaims(jwtOf(claimsOf('claims-rpt')))
  assert.deepEqual(rpt?.permissions, ['user-impersonation'])
  assert.deepEqual(rpt?.aud, ['service_provider_api'])
  assert.equal(decodeClaims(jwtOf(claimsOf('claims-service-account')))?.azp, 'kubernetes_cluster_service')
  assert.equal(decodeClaims(jwtOf(claimsOf('claims-service-account-lightweight')))?.aud, undefined)
})
