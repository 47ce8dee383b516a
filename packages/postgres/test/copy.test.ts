import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseError } from '../src/errors.ts'
import { testDatabase } from '../src/testing.ts'

const ROWS = 20_000

test('copyIn() and copyOut() carry a table from one transaction to another', async () => {
  await using db = await testDatabase()
  await db.query('create table number (n int primary key, word text)')
  const rows = await db.transaction((tx) =>
    tx.copyIn(
      'copy number from stdin',
      Array.from({ length: ROWS }, (_, n) => `${n}\tword ${n}\n`),
    ),
  )
  assert.equal(rows, ROWS)
  const text = await db.transaction(async (tx) => {
    const chunks = await Array.fromAsync(tx.copyOut('copy (select * from number order by n) to stdout'))
    // The transaction goes on after it.
    assert.deepEqual((await tx.query('select count(*) as count from number')).rows, [{ count: BigInt(ROWS) }])
    return Buffer.concat(chunks).toString()
  })
  assert.equal(text.split('\n').length, ROWS + 1)
  assert.ok(text.startsWith('0\tword 0\n1\tword 1\n'))
})

test('copyOut() that is left early leaves its transaction usable', async () => {
  await using db = await testDatabase()
  await db.transaction(async (tx) => {
    for await (const chunk of tx.copyOut('copy (select generate_series(1, 200000)) to stdout')) {
      assert.ok(chunk.length > 0)
      break
    }
    assert.deepEqual((await tx.query('select 1 as one')).rows, [{ one: 1 }])
  })
})

test('copyIn() fails as a DatabaseError whose message holds no value, and copies nothing', async () => {
  await using db = await testDatabase()
  await db.query('create table number (n int primary key)')
  const copying = db.transaction((tx) => tx.copyIn('copy number from stdin', ['1\n', 'secret\n']))
  await assert.rejects(copying, (error) => {
    assert.ok(error instanceof DatabaseError)
    assert.equal(error.sqlstate, '22P02')
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
  assert.deepEqual((await db.query('select * from number')).rows, [])
})

test('copyIn() passes on what its source throws, and copies nothing', async () => {
  await using db = await testDatabase()
  await db.query('create table number (n int primary key)')
  async function* source(): AsyncGenerator<string> {
    yield '1\n'
    throw new RangeError('no more')
  }
  await assert.rejects(
    db.transaction((tx) => tx.copyIn('copy number from stdin', source())),
    RangeError,
  )
  assert.deepEqual((await db.query('select * from number')).rows, [])
})

test('copyOut() fails as a DatabaseError', async () => {
  await using db = await testDatabase()
  await assert.rejects(
    db.transaction((tx) => Array.fromAsync(tx.copyOut('copy nowhere to stdout'))),
    DatabaseError,
  )
})
