import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AscribeError, InputError, errorChain, errorCode, toAscribeError } from './errors.ts'

class DiskError extends AscribeError {
  override readonly code = 'DISK_TEST'
}

test('errorChain() says every message of the chain once, the outermost first', () => {
  const cause = new Error('ENOSPC: no space left')
  assert.equal(errorChain(new DiskError('Cannot write the segment', { cause })), 'Cannot write the segment: ENOSPC: no space left')
  assert.equal(errorChain(new Error('same', { cause: new Error('same') })), 'same')
  assert.equal(errorChain('plain'), 'plain')
  const missing = new Error('ENOENT: no such file')
  assert.equal(errorChain(new DiskError('Cannot read x: ENOENT', { cause: missing })), 'Cannot read x: ENOENT: no such file')
  const loop = new Error('loop')
  loop.cause = loop
  assert.equal(errorChain(loop), 'loop')
})

test('toAscribeError() keeps what has a code and wraps the rest with its cause', () => {
  const known = new InputError('Cannot read it', { hint: 'mend it' })
  assert.equal(toAscribeError(known), known)
  const wrapped = toAscribeError(new TypeError('x is not a function'))
  assert.equal(wrapped.code, 'UNEXPECTED')
  assert.ok(wrapped.cause instanceof TypeError)
  assert.match(toAscribeError(undefined).message, /undefined was thrown/)
})

test('an error carries its class name, its code and its cause', () => {
  const cause = new Error('below')
  const error = new DiskError('above', { cause })
  assert.deepEqual([error.name, error.code, error.retryable, error.cause], ['DiskError', 'DISK_TEST', false, cause])
  assert.ok(!('cause' in new DiskError('alone')) || new DiskError('alone').cause === undefined)
})

test('errorCode() finds the code of Node and database errors, and of nothing else', () => {
  assert.equal(errorCode(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  for (const value of [undefined, null, 'ENOENT', new Error('x'), { code: 5 }]) assert.equal(errorCode(value), undefined)
})
