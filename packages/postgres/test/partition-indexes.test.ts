import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../src/database.ts'
import { buildPartitionIndexes } from '../src/partition-indexes.ts'
import { testDatabase } from '../src/testing.ts'

const TABLE = `
create table fact (n int, word text) partition by range (n);
create table fact_a partition of fact for values from (0) to (10);
create table "fact B" partition of fact for values from (10) to (20);
insert into fact select n, 'w' from generate_series(0, 19) n`

test('litellm-11683: buildPartitionIndexes() finishes what a migration began, once, whoever else does', async () => {
  await using db = await testDatabase()
  await db.query(TABLE)
  assert.equal(await buildPartitionIndexes(db), 0)
  await db.query('create index fact_word on only fact (word, n desc) where n > 3')
  const built = await Promise.all(
    Array.from({ length: 4 }, async () => {
      await using own = openDatabase({ ...db.target, max: 2 })
      return await buildPartitionIndexes(own)
    }),
  )
  assert.equal(
    built.reduce((sum, count) => sum + count, 0),
    2,
  )
  const { rows } = await db.query(
    "select c.relname::text as name, i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname like '%fact_word' order by 1",
  )
  assert.deepEqual(rows, [
    { name: 'fact B_fact_word', valid: true },
    { name: 'fact_a_fact_word', valid: true },
    { name: 'fact_word', valid: true },
  ])
  assert.equal(await buildPartitionIndexes(db), 0)
})

test('buildPartitionIndexes() goes on after a build that was interrupted', async () => {
  await using db = await testDatabase()
  await db.query(TABLE)
  await db.query('create unique index fact_n on only fact (n)')
  await db.query("insert into fact values (11, 'twice')")
  await assert.rejects(buildPartitionIndexes(db), /23505/)
  await db.query("delete from fact where word = 'twice'")
  assert.equal(await buildPartitionIndexes(db), 2)
  await assert.rejects(db.query("insert into fact values (5, 'again')"), /23505/)
})
