import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkChain, readAccessLog } from '../src/index.ts'
import { ORG, OTHER, openTrail, viewed } from './audit-support.ts'
import { TEN, openLedger } from './support.ts'

// What a customer does with the log: narrows it, and has it checked.

const DAY = 86_400_000

test('readAccessLog() narrows by day, kind, actor and words, and pages on below what it has looked through', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const user = { kind: 'user', id: 'bob@acme.example', name: 'Bob', via: 'cookie' } as const
  await trail.append([
    viewed({ at: TEN - DAY }),
    viewed({ kind: 'write', actor: user, at: TEN, method: 'POST' }),
    viewed({ chain: OTHER, at: TEN }),
    viewed({ at: TEN + 1, act: { sessionId: 's', reason: 'the invoice of May', ticket: 'T-77' } }),
  ])
  const found = async (filter: object): Promise<readonly number[]> => {
    const page = await readAccessLog(db, { organizationId: ORG, ...filter })
    assert.notEqual(page, 'bad_cursor')
    return page === 'bad_cursor' ? [] : page.entries.map(({ sequence }) => sequence)
  }
  // Line 1 names the key.
  assert.deepEqual(await found({}), [4, 3, 2, 1])
  assert.deepEqual(await found({ from: TEN }), [4, 3, 1])
  assert.deepEqual(await found({ from: TEN, until: TEN + 1 }), [3, 1])
  assert.deepEqual(await found({ kinds: ['write', 'session'] }), [3])
  assert.deepEqual(await found({ by: ['operator'] }), [4, 2])
  assert.deepEqual(await found({ text: 'ADA@' }), [4, 2])
  assert.deepEqual(await found({ text: 't-77' }), [4])
  assert.deepEqual(await found({ text: '%' }), [], 'no wildcard is one')
  assert.deepEqual(await found({ by: ['operator'], limit: 1 }), [4])
  const first = await readAccessLog(db, { organizationId: ORG, by: ['operator'], limit: 1 })
  assert(first !== 'bad_cursor' && first.nextCursor !== undefined)
  assert.deepEqual(await found({ by: ['operator'], limit: 1, cursor: first.nextCursor }), [2])
})

test('readAccessLog() looks through so many lines and no more for one page, and goes on from there', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  await trail.append([viewed({ kind: 'support' })])
  for (let batch = 0; batch < 30; batch += 1) await trail.append(Array.from({ length: 400 }, () => viewed()))
  const page = await readAccessLog(db, { organizationId: ORG, kinds: ['support'] })
  assert(page !== 'bad_cursor')
  assert.deepEqual(page.entries, [], 'the one line is more than 10,000 lines below')
  const next = await readAccessLog(db, { organizationId: ORG, kinds: ['support'], cursor: page.nextCursor ?? '' })
  assert(next !== 'bad_cursor')
  assert.deepEqual([next.entries.map(({ sequence }) => sequence), next.nextCursor], [[2], undefined])
})

test('checkChain() says that a log is whole, and at which line it is not', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  assert.deepEqual(await checkChain(db, ORG), { lines: 0, checked: 0, isWhole: true, erasedFields: 0 })
  await trail.append([viewed(), viewed({ at: TEN + 5 }), viewed({ at: TEN + 9 })])
  const whole = await checkChain(db, ORG)
  assert.deepEqual([whole.lines, whole.checked, whole.isWhole, whole.problem], [4, 4, true, undefined])
  assert.deepEqual([(await checkChain(db, ORG, { linesMax: 3 })).isWhole, (await checkChain(db, ORG, { linesMax: 3 })).checked], [false, 0])
  // By hand, as whoever owns the tables can.
  await db.query('alter table audit_line disable trigger all')
  await db.query(`update audit_line set body = replace(body, '"status":200', '"status":404') where chain = $1 and sequence = 3`, [ORG])
  const edited = await checkChain(db, ORG)
  assert.deepEqual([edited.isWhole, edited.problem?.sequence], [false, 3])
  await db.query('delete from audit_line where chain = $1 and sequence = 4', [ORG])
  await db.query(`update audit_line set body = replace(body, '"status":404', '"status":200') where chain = $1 and sequence = 3`, [ORG])
  const cut = await checkChain(db, ORG)
  assert.deepEqual([cut.isWhole, cut.checked], [false, 3])
})
