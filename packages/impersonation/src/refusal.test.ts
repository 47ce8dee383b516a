import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusalOf } from './refusal.ts'
import type { WireStep } from './refusal.ts'

type Given = { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }

function refusal(step: WireStep, { status, body = '', headers = {} }: Given): ReturnType<typeof refusalOf> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return refusalOf(step, { status, body: text, headers: new Map(Object.entries(headers)) }, 'https://direct.zrh.example/impersonate')
}

const typed = (error_type: string): object[] => [{ error_type, error_message: 'token-canary', error_point: null }]

// The error format of step 3 is not public: list, object or HTML (cloud-impersonation.md 7, question 4).
for (const [what, given, code, reason] of [
  ['404 with a list', { status: 404, body: typed('notexist') }, 'IMPERSONATION_OWNER_REFUSED', 'user_unknown'],
  ['404 with an object', { status: 404, body: { error_type: 'notexist' } }, 'IMPERSONATION_OWNER_REFUSED', 'user_unknown'],
  ['400 that says notexist', { status: 400, body: typed('notexist') }, 'IMPERSONATION_OWNER_REFUSED', 'user_unknown'],
  ['403 with a list', { status: 403, body: typed('permission') }, 'IMPERSONATION_OWNER_REFUSED', 'user_refused'],
  ['400 with a list', { status: 400, body: typed('validation') }, 'IMPERSONATION_OWNER_REFUSED', 'user_refused'],
  ['402', { status: 402, body: typed('payment') }, 'IMPERSONATION_OWNER_REFUSED', 'user_refused'],
  ['401', { status: 401 }, 'IMPERSONATION_CLIENT_REFUSED', 'bearer_refused'],
  ['404 in HTML, of some other server', { status: 404, body: '<html>404</html>' }, 'IMPERSONATION_ANSWER_INVALID', 'answer_invalid'],
  ['403 in HTML, of a firewall', { status: 403, body: '<html>' }, 'IMPERSONATION_ANSWER_INVALID', 'answer_invalid'],
  ['504 in HTML', { status: 504, body: '<html>' }, 'IMPERSONATION_UNAVAILABLE', 'server_error'],
  ['500', { status: 500, body: typed('backend') }, 'IMPERSONATION_UNAVAILABLE', 'server_error'],
  ['503 concurrency', { status: 503, body: typed('concurrency') }, 'IMPERSONATION_UNAVAILABLE', 'server_error'],
  ['400 that says concurrency', { status: 400, body: typed('concurrency') }, 'IMPERSONATION_UNAVAILABLE', 'server_error'],
  ['429', { status: 429 }, 'IMPERSONATION_UNAVAILABLE', 'rate_limited'],
  ['307', { status: 307, headers: { location: 'https://evil.example' } }, 'IMPERSONATION_ANSWER_INVALID', 'redirect'],
  ['308', { status: 308 }, 'IMPERSONATION_ANSWER_INVALID', 'redirect'],
  ['204', { status: 204 }, 'IMPERSONATION_ANSWER_INVALID', 'answer_invalid'],
  ['201', { status: 201, body: { access_token: 'token-canary' } }, 'IMPERSONATION_ANSWER_INVALID', 'answer_invalid'],
] as const)
  test(`refusalOf() takes ${what} of step 3 for ${reason}`, () => {
    const error = refusal('impersonate', given)
    assert.deepEqual([error.code, error.reason, error.status], [code, reason, given.status])
    assert.doesNotMatch(error.message, /canary|evil/)
  })

test('what step 3 refuses one owner for is never told in the words for our client, which wake people up', () => {
  for (let status = 400; status < 500; status += 1)
    for (const step of ['impersonate', 'profile'] as const) {
      const { reason } = refusal(step, { status, body: typed('permission') })
      assert.ok(
        !['client_refused', 'realm_unknown', 'request_refused', 'permission_denied'].includes(reason),
        `${step} ${status}: ${reason}`,
      )
    }
})

test('refusalOf() decides on status and error_type, never on text: a request id with 404 in it is a 503 all the same (R-14)', () => {
  const error = refusal('impersonate', { status: 503, body: [{ error_type: 'backend', error_message: 'user 404-404 not found' }] })
  assert.equal(error.reason, 'server_error')
})

test("refusalOf() keeps the peer's request id for its operators, unless it is more than an id", () => {
  assert.equal(refusal('impersonate', { status: 500, headers: { 'x-request-id': 'a1-b2' } }).requestId, 'a1-b2')
  assert.equal(refusal('impersonate', { status: 500, headers: { 'x-request-id': 'Bearer abc' } }).requestId, undefined)
})

test('refusalOf() reads Retry-After in both forms, at most an hour', () => {
  const after = (value: string, date?: string): number | undefined =>
    refusal('rpt', { status: 503, headers: { 'retry-after': value, ...(date !== undefined && { date }) } }).retryAfterMs
  assert.equal(after('7'), 7000)
  assert.equal(after('0'), 0)
  assert.equal(after('86400'), 3_600_000)
  assert.equal(after('Wed, 21 Oct 2026 07:28:30 GMT', 'Wed, 21 Oct 2026 07:28:00 GMT'), 30_000)
  assert.equal(after('Wed, 21 Oct 1999 07:28:30 GMT'), 0)
  assert.equal(after('soon'), undefined)
})
