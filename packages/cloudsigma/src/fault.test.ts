import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { faultOf, retryAfterMsOf } from './fault.ts'
import type { RefusedAnswer } from './fault.ts'

const answer = (status: number, body?: unknown): RefusedAnswer => ({
  status,
  body,
  requestId: undefined,
  retryAfterMs: undefined,
  challenge: undefined,
})
const entry = (type: string, message = '', point: string | null = null): object => ({
  error_type: type,
  error_message: message,
  error_point: point,
})

const UUID = '404fffff-1111-4222-8333-444444444404'
const STATE = `Error attempting to put '${UUID}' in state 'deleting'. It should be in state 'stopped', not 'running'.`
const ACL = `User ${UUID} does not have all of the permissions [LIST] in order to complete the operation on resources [${UUID}]`

test('R-4: faultOf() tells a 403 by state from a 403 by ACL, and neither means gone', () => {
  const state = faultOf(answer(403, [entry('permission', STATE)]))
  assert.deepEqual(state, {
    kind: 'state',
    target: 'deleting',
    expected: 'stopped',
    current: 'running',
    status: 403,
    errorTypes: ['permission'],
    effect: 'none',
  })
  const acl = faultOf(answer(403, [entry('permission', ACL)]))
  assert.equal(acl.kind, 'acl')
  assert.deepEqual(acl.kind === 'acl' && [acl.permissions, acl.resources], [['LIST'], [UUID]])
})

test('R-4: faultOf() says scope for insufficient_scope, and forbidden for a 403 in a form nobody described', () => {
  assert.equal(faultOf({ ...answer(403), challenge: 'Bearer error="insufficient_scope"' }).kind, 'scope')
  assert.equal(faultOf(answer(403, [entry('permission', 'No.')])).kind, 'forbidden')
  assert.equal(faultOf(answer(403, '<html>')).kind, 'forbidden')
})

test('R-4: faultOf() reads the forms whole: a text that only contains one is neither', () => {
  for (const message of [`${STATE} And more.`, `Note: ${ACL}`, STATE.replace("'running'", "'run ning'")]) {
    assert.equal(faultOf(answer(403, [entry('permission', message)])).kind, 'forbidden', message)
  }
  // The same text under another error_type is not that fault either.
  assert.equal(faultOf(answer(403, [entry('validation', STATE)])).kind, 'forbidden')
})

test('R-23: faultOf() takes the target state "deleting" of a refused delete for what it is, a refusal', () => {
  const fault = faultOf(
    answer(403, [
      entry('permission', `Error attempting to put '${UUID}' in state 'deleting'. It should be in state 'stopped', not 'stopping'.`),
    ]),
  )
  assert.deepEqual(fault.kind === 'state' && [fault.current, fault.expected], ['stopping', 'stopped'])
})

test('R-14: faultOf() decides on status and error_type, never on text: no text makes a notFound of another status', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.constantFrom('404', 'not found', 'notexist', `Object with uuid ${UUID} does not exist`, STATE, ACL),
  )
  const types = fc.constantFrom('validation', 'backend', 'permission', 'database', 'concurrency', 'billing', 'payment')
  const statuses = fc.integer({ min: 300, max: 599 }).filter((status) => status !== 404)
  fc.assert(
    fc.property(statuses, types, texts, (status, type, text) => {
      assert.notEqual(faultOf(answer(status, [entry(type, text)])).kind, 'notFound')
    }),
  )
  assert.equal(faultOf(answer(404, [entry('notexist', 'Object does not exist')])).kind, 'notFound')
})

test('3.3: faultOf() believes a 404 only of the API itself: a gateway knows nothing of the resource', () => {
  for (const body of [undefined, '<html>404</html>', {}, [], [entry('made_up')]]) assert.equal(faultOf(answer(404, body)).kind, 'gateway')
})

test('3.3: faultOf() takes an array or a single object', () => {
  assert.equal(faultOf(answer(404, entry('notexist'))).kind, 'notFound')
  assert.equal(faultOf(answer(400, entry('validation', 'This field is required', 'name'))).kind, 'validation')
})

test('R-35: faultOf() maps 402 and both kinds of 503 to their meaning', () => {
  const kindOf = (status: number, body: unknown): string => faultOf(answer(status, body)).kind
  assert.equal(kindOf(402, [entry('payment', 'no funds')]), 'payment')
  assert.equal(kindOf(402, undefined), 'payment')
  assert.equal(kindOf(503, [entry('concurrency')]), 'concurrency')
  assert.equal(kindOf(503, [entry('backend', 'no capacity')]), 'capacity')
  assert.equal(kindOf(503, '<html>'), 'gateway')
  assert.equal(kindOf(429, undefined), 'rateLimit')
  assert.equal(kindOf(500, [entry('backend')]), 'backend')
  assert.equal(kindOf(500, '<html>'), 'gateway')
  assert.equal(kindOf(502, '<html>'), 'gateway')
  assert.equal(kindOf(504, undefined), 'gateway')
})

test('R-12: faultOf() says that a refusal did nothing, and that a gateway does not know', () => {
  const effectOf = (status: number, body?: unknown): string => faultOf(answer(status, body)).effect
  for (const status of [400, 401, 402, 403, 404, 429]) assert.equal(effectOf(status), 'none')
  assert.equal(effectOf(503, [entry('concurrency')]), 'none')
  for (const status of [500, 502, 503, 504]) assert.equal(effectOf(status), 'unknown')
})

test('H-15: faultOf() keeps of a validation error the names of fields, and nothing that may echo what was sent', () => {
  const fault = faultOf(
    answer(400, [entry('validation', 'CANARY is no password', 'CANARY value'), entry('validation', '', 'nics[0].vlan')]),
  )
  assert.deepEqual(fault.kind === 'validation' && fault.points, ['nics[0].vlan'])
  assert.doesNotMatch(JSON.stringify(fault), /CANARY/)
})

test('faultOf() never throws, whatever the body is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 300, max: 599 }), fc.jsonValue(), (status, body) => {
      assert.equal(typeof faultOf(answer(status, body)).kind, 'string')
    }),
  )
})

test('3.3: retryAfterMsOf() takes seconds and dates, by the clock of the answer, up to an hour', () => {
  const date = 'Sun, 22 Nov 2026 12:00:00 GMT'
  assert.equal(retryAfterMsOf('7', undefined), 7000)
  assert.equal(retryAfterMsOf('Sun, 22 Nov 2026 12:00:30 GMT', date), 30_000)
  assert.equal(retryAfterMsOf('Sun, 22 Nov 2026 11:00:00 GMT', date), 0)
  assert.equal(retryAfterMsOf('999999', undefined), 3_600_000)
  for (const text of [undefined, 'soon', '-1', 'Sun, 22 Nov 2026 12:00:30 GMT']) assert.equal(retryAfterMsOf(text, undefined), undefined)
})

test('3.3: faultOf() takes 405, 406 and 415 for what was asked wrongly', () => {
  for (const status of [405, 406, 409, 415, 422]) assert.equal(faultOf(answer(status)).kind, 'validation')
})
