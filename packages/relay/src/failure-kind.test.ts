import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errors } from 'undici'
import { failureKindOf } from './failure-kind.ts'

const withCode = (code: string): Error => Object.assign(new Error(code), { code })

test('failureKindOf() tells how far a request had come', () => {
  const cases: readonly (readonly [error: unknown, connecting: string, sent: string, headed: string])[] = [
    [withCode('ECONNREFUSED'), 'connect', 'reset', 'reply_reset'],
    [withCode('ECONNRESET'), 'connect', 'reset', 'reply_reset'],
    [withCode('EPIPE'), 'connect', 'reset', 'reply_reset'],
    [withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'connect', 'reset', 'reply_reset'],
    [withCode('ETIMEDOUT'), 'connect_timeout', 'reset', 'reply_reset'],
    [new errors.ConnectTimeoutError(), 'connect_timeout', 'reset', 'reply_reset'],
    [new errors.SocketError('other side closed'), 'connect', 'reset', 'reply_reset'],
    [new errors.SocketError('bad response'), 'connect', 'protocol', 'protocol'],
    [new errors.HeadersTimeoutError(), 'connect', 'head_timeout', 'head_timeout'],
    [new errors.BodyTimeoutError(), 'connect', 'idle_timeout', 'idle_timeout'],
    [new errors.HeadersOverflowError(), 'connect', 'protocol', 'protocol'],
    [new errors.HTTPParserError('Invalid character in chunk size'), 'connect', 'protocol', 'protocol'],
    [new errors.HTTPParserError('Invalid EOF state'), 'connect', 'reset', 'reply_reset'],
    [new errors.ResponseContentLengthMismatchError(), 'connect', 'protocol', 'reply_reset'],
    ['not even an error', 'connect', 'reset', 'reply_reset'],
  ]
  for (const [error, connecting, sent, headed] of cases) {
    assert.deepEqual(
      [failureKindOf(error, 'connecting'), failureKindOf(error, 'sent'), failureKindOf(error, 'headed')],
      [connecting, sent, headed],
      String(error),
    )
  }
})
