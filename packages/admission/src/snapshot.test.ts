import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseReport, parseSnapshot } from './snapshot.ts'

const ACCOUNT = { budget: 'b', subject: 's', start: 0, limit: '10', spent: '0', leases: { w: { granted: '1', consumed: '0' } } }
const SNAPSHOT = { ledger: 'l', version: 1, gateways: 2, budgets: [], accounts: [ACCOUNT], limits: [], prices: [], subjects: {} }

test('parseSnapshot() reads what was written, keeps what is absent empty, and ignores what a newer program adds', () => {
  assert.deepEqual(parseSnapshot(JSON.stringify({ ...SNAPSHOT, novelty: 1 })), { ...SNAPSHOT, novelty: 1 })
  assert.deepEqual(parseSnapshot('{"ledger":"l","version":1}'), {
    ...SNAPSHOT,
    gateways: 1,
    accounts: [],
  })
})

test('a snapshot with a rule that is not understood is never half enforced', () => {
  const budget = { id: 'b', scope: 'credential', subject: '*', unit: 'tokens', period: 'day' }
  const limit = { scope: 'credential', subject: '*', requestsPerMinute: 1 }
  assert.deepEqual(parseSnapshot(JSON.stringify({ ...SNAPSHOT, budgets: [budget], limits: [limit] }))?.budgets, [budget])
  for (const change of [{ period: 'week' }, { scope: 'team' }, { unit: 5 }, { subject: undefined }])
    assert.equal(parseSnapshot(JSON.stringify({ ...SNAPSHOT, budgets: [{ ...budget, ...change }] })), undefined)
  for (const odd of [null, { ...limit, scope: 'user' }, { ...limit, subject: 1 }])
    assert.equal(parseSnapshot(JSON.stringify({ ...SNAPSHOT, limits: [odd] })), undefined)
})

test('parseSnapshot() and parseReport() refuse what is none, and never throw', () => {
  for (const text of ['', 'null', '[]', '{"ledger":"l"}', '{"ledger":1,"version":1}', JSON.stringify({ ...SNAPSHOT, budgets: {} })]) {
    assert.equal(parseSnapshot(text), undefined, text)
  }
  for (const change of [{ limit: '1e3' }, { limit: 10 }, { start: 'x' }, { leases: { w: { granted: '1.5', consumed: '0' } } }]) {
    assert.equal(parseSnapshot(JSON.stringify({ ...SNAPSHOT, accounts: [{ ...ACCOUNT, ...change }] })), undefined)
  }
  const report = { budget: 'b', subject: 's', start: 0, granted: '1', returned: '0', used: '1', wanted: '0', recalled: 0 }
  assert.deepEqual(parseReport(JSON.stringify({ writer: 'w', accounts: [report] })), { writer: 'w', accounts: [report] })
  assert.equal(parseReport(JSON.stringify({ writer: 'w', accounts: [{ ...report, used: 'x' }] })), undefined)
  fc.assert(fc.property(fc.json(), (text) => void [parseReport(text), parseSnapshot(`{"ledger":"l","version":1,"accounts":[${text}]}`)]))
})
