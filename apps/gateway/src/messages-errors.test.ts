import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messagesError } from './messages-errors.ts'
import { invalidRequest, plainReply, serverError } from './replies.ts'

const errorOf = (reply: ReturnType<typeof invalidRequest>): unknown => JSON.parse(messagesError(reply).body.toString())

test("messagesError() gives every error of ours Anthropic's shape, and keeps status and headers", () => {
  const types: [number, string][] = [
    [400, 'invalid_request_error'],
    [401, 'authentication_error'],
    [402, 'billing_error'],
    [403, 'permission_error'],
    [404, 'not_found_error'],
    [405, 'invalid_request_error'],
    [409, 'invalid_request_error'],
    [413, 'request_too_large'],
    [415, 'invalid_request_error'],
    [429, 'rate_limit_error'],
  ]
  for (const [status, type] of types) {
    assert.deepEqual(errorOf(invalidRequest('No "x".', { status })), { type: 'error', error: { type, message: 'No "x".' } })
  }
  const unavailable = serverError(503, 'Later.', 'overloaded', ['retry-after', '1'])
  const { body, ...rest } = messagesError(unavailable)
  assert.deepEqual(JSON.parse(body.toString()), { type: 'error', error: { type: 'overloaded_error', message: 'Later.' } })
  assert.deepEqual(rest, { status: unavailable.status, headers: unavailable.headers })
  assert.deepEqual(errorOf(serverError(502, 'Gone.', 'upstream_reset')), { type: 'error', error: { type: 'api_error', message: 'Gone.' } })
})

test('messagesError() leaves what the billing gate says in plain text, and what is no error', () => {
  const plain = plainReply(400, 'missing required billing identity: X-Saturn-Auth-Id')
  assert.equal(messagesError(plain), plain)
  const fine = { status: 200, headers: [], body: '{"error":{"message":"x"}}' }
  assert.equal(messagesError(fine), fine)
})
