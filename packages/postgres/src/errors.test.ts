import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError, errorChain } from '@ascribe/kit'
import { DatabaseError, kindOfSqlstate, toDatabaseError } from './errors.ts'

test('kindOfSqlstate() sorts by class', () => {
  const kinds = [
    '22P02',
    '22021',
    '23505',
    '08006',
    '57P01',
    '57P03',
    '53300',
    '40001',
    '40P01',
    '55P03',
    '57014',
    '42601',
    'XX000',
    '40002',
  ]
  assert.deepEqual(
    kinds.map((sqlstate) => `${sqlstate} ${kindOfSqlstate(sqlstate)}`),
    [
      '22P02 data',
      '22021 data',
      '23505 data',
      '08006 connection',
      '57P01 connection',
      '57P03 connection',
      '53300 connection',
      '40001 retry',
      '40P01 retry',
      '55P03 retry',
      '57014 other',
      '42601 other',
      'XX000 other',
      '40002 other',
    ],
  )
})

test('toDatabaseError() takes what sockets and pg say without a SQLSTATE for a lost connection', () => {
  const lost = [
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('connect ENOENT /x/.s.PGSQL.5432'), { code: 'ENOENT' }),
    // Five capital letters, as a SQLSTATE has; but no severity.
    Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }),
    Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Client has encountered a connection error and is not queryable'),
  ]
  for (const thrown of lost) {
    const error = toDatabaseError(thrown, 'connect to the database')
    assert.ok(error instanceof DatabaseError)
    assert.deepEqual([error.kind, error.code, error.retryable, error.sqlstate], ['connection', 'DATABASE_UNREACHABLE', true, undefined])
    assert.match(error.message, /^Cannot connect to the database: ./)
  }
})

test('toDatabaseError() withholds messages and details that quote values', () => {
  const thrown = Object.assign(new Error('duplicate key value violates unique constraint "person_pkey"'), {
    severity: 'ERROR',
    code: '23505',
    detail: 'Key (mail)=(ada@example.org) already exists.',
    table: 'person',
    constraint: 'person_pkey',
  })
  const error = toDatabaseError(thrown, 'run a statement')
  assert.equal(errorChain(error), 'Cannot run a statement: unique violation (SQLSTATE 23505, constraint person_pkey, table person)')
  assert.doesNotMatch(JSON.stringify(error), /ada@example/)
})

test('toDatabaseError() gives errors of ours back as they are', () => {
  const error = new InputError('Cannot')
  assert.equal(toDatabaseError(error, 'x'), error)
})
