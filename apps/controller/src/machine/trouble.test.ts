import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudSigmaError, CloudSigmaRequestError } from '@ascribe/cloudsigma'
import type { CloudFault } from '@ascribe/cloudsigma'
import { FencedError } from '@ascribe/kube'
import { ActNotRecordedError } from '../accounts/errors.ts'
import { AuthorityError } from '../authority/errors.ts'
import { mayHaveHappened, sanitize, troubleOf } from './trouble.ts'

const nobody = (): undefined => undefined
const failed = (fault: Partial<CloudFault> & Pick<CloudFault, 'kind'>): CloudSigmaError =>
  new CloudSigmaError(
    {
      errorTypes: [],
      effect: 'none',
      permissions: [],
      resources: [],
      points: [],
      why: 'w',
      target: 't',
      expected: 'e',
      current: 'c',
      ...fault,
    } as unknown as CloudFault,
    {
      operation: 'servers.create',
      region: 'zrh',
    },
  )

test('mayHaveHappened() is no only where it is certain that nothing was sent or done (R-11, R-12)', () => {
  assert.ok(mayHaveHappened(failed({ kind: 'network', effect: 'unknown' })))
  assert.ok(mayHaveHappened(new Error('anything that nobody thought of')))
  assert.ok(mayHaveHappened(undefined))
  for (const certain of [
    failed({ kind: 'validation', effect: 'none' }),
    new CloudSigmaRequestError('x'),
    new ActNotRecordedError('x'),
    new FencedError('x'),
    new AuthorityError('x', { reason: 'OwnerNotAuthorized' }),
  ])
    assert.equal(mayHaveHappened(certain), false, certain.name)
})

test('troubleOf() tells money, room and contention apart (R-35)', () => {
  assert.equal(troubleOf(failed({ kind: 'payment' }), 'start', nobody).reason, 'InsufficientFunds')
  const room = troubleOf(failed({ kind: 'capacity' }), 'start', nobody)
  const contention = troubleOf(failed({ kind: 'concurrency' }), 'start', nobody)
  assert.equal(room.reason, 'InsufficientCapacity')
  assert.ok(room.grows && room.retryAfterMs >= 60_000 && contention.retryAfterMs < 5_000 && !contention.grows)
})

test('troubleOf() never says that something is gone (R-4, R-5, R-14)', () => {
  const kinds = [
    'acl',
    'state',
    'scope',
    'forbidden',
    'auth',
    'notFound',
    'validation',
    'payment',
    'capacity',
    'concurrency',
    'rateLimit',
    'backend',
    'gateway',
    'redirect',
    'malformed',
    'network',
  ] as const
  for (const kind of kinds)
    for (const doing of ['read', 'create', 'start', 'change', 'delete'] as const)
      assert.notEqual(troubleOf(failed({ kind }), doing, nobody).reason, 'ServerNotFound')
})

test('troubleOf() waits as long as the cloud asks', () => {
  assert.equal(troubleOf(failed({ kind: 'rateLimit', retryAfterMs: 90_000 }), 'create', nobody).retryAfterMs, 90_000)
})

test('sanitize() leaves no control characters and has an end (H-27)', () => {
  assert.equal(sanitize('a\nb\u0000c\u2028d %s'), 'a b c d %s')
  assert.equal(sanitize('x'.repeat(5_000)).length, 1_024)
})
