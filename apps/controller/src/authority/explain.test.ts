import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudSigmaError } from '@ascribe/cloudsigma'
import {
  ClientSecretError,
  MintUnavailableError,
  NotAuthorizedError,
  OwnerRefusedError,
  SubjectMismatchError,
} from '@ascribe/impersonation'
import { AuthorityError, IssuerRefusedError } from './errors.ts'
import { explain, explainAccount, sayable } from './explain.ts'

test('explain() gives each failure the one who has to act, and accuses nobody of an outage', () => {
  const told = [
    new AuthorityError('x', { reason: 'RegionNotAllowed' }),
    new NotAuthorizedError('x', new AuthorityError('y', { reason: 'QuotaExceeded' })),
    new OwnerRefusedError('x', { step: 'impersonate', reason: 'user_unknown' }),
    new OwnerRefusedError('x', { step: 'impersonate', reason: 'user_refused' }),
    new SubjectMismatchError('x', { step: 'profile', reason: 'subject_mismatch' }),
    new ClientSecretError('x'),
    new IssuerRefusedError('x'),
    new MintUnavailableError('x', { step: 'rpt', reason: 'timeout' }),
  ].map((error) => {
    const explained = explain(error)
    return [explained?.reason, explained?.status]
  })
  assert.deepEqual(told, [
    ['RegionNotAllowed', 'False'],
    ['QuotaExceeded', 'False'],
    ['OwnerNotFound', 'False'],
    ['OwnerSuspended', 'False'],
    ['OwnerMismatch', 'False'],
    ['ServiceAccountRejected', 'False'],
    ['ServiceAccountRejected', 'False'],
    ['OAuthUnavailable', 'Unknown'],
  ])
  assert.equal(explain(new Error('a bug')), undefined)
})

test('explainAccount() tells a wrong password from a cloud that is away', () => {
  const fault = (kind: 'auth' | 'gateway'): CloudSigmaError =>
    new CloudSigmaError(
      { kind, status: kind === 'auth' ? 401 : 504, errorTypes: [], effect: 'none' },
      { operation: 'account.profile', region: 'zrh' },
    )
  assert.deepEqual([explainAccount(fault('auth'))?.reason, explainAccount(fault('auth'))?.status], ['ServiceAccountRejected', 'False'])
  assert.deepEqual([explainAccount(fault('gateway'))?.reason, explainAccount(fault('gateway'))?.status], ['WaitingForCloud', 'Unknown'])
})

test('H-27: sayable() is one printable line with an end', () => {
  assert.equal(sayable('a\nb\u001b[31m\u2028c'), 'a b [31m c')
  assert.equal(sayable('x'.repeat(5000)).length, 1024)
})
