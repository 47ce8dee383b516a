import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessLogLine } from '@ascribe/contract/writes'
import { entriesOf, rowsOf } from './entries.ts'
import { actorText, doneText, openedText } from './words.ts'

let next = 1000
const operator = { kind: 'operator', id: 'olga@ops.example', roles: [], via: 'teleport' }
const user = { kind: 'user', id: 'u1', name: 'Ada', roles: ['admin'], via: 'cookie' }
/** Newest first: each is older than the one before it. */
function line(fields: Partial<AccessLogLine>): AccessLogLine {
  next -= 1
  const at = new Date(Date.UTC(2026, 10, 22, 0, 0, next)).toISOString()
  return { sequence: next, at, kind: 'read', actor: operator, hash: '', erased: [], ...fields }
}
const act = { sessionId: 's1', reason: 'invoice', ticket: 'T-1' }
const ORG = '/v1/organizations/0d6c'

test('entriesOf() makes one of a session, one of a change and its outcome, and leaves no line out', () => {
  const lines = [
    line({ act, path: `${ORG}/costs` }),
    line({ kind: 'write_end', actor: user, requestId: 'r', status: 201 }),
    line({ act: { sessionId: 's2' } }),
    line({ kind: 'write', actor: user, requestId: 'r', method: 'POST', path: `${ORG}/credentials` }),
    line({ act, kind: 'session', detail: { outcome: 'started' } }),
    line({ kind: 'write_end', actor: user, requestId: 'its change is on the next page', status: 204 }),
  ]
  const entries = entriesOf(lines)
  assert.deepEqual(
    entries.map((entry) => (entry.kind === 'session' ? [entry.lines.length, entry.opened, entry.reason] : [entry.line.kind, entry.status])),
    [
      [2, 1, 'invoice'],
      [1, 1, undefined],
      ['write', 201],
      ['write_end', 204],
    ],
  )
  const shown = entries.flatMap((entry) => (entry.kind === 'session' ? entry.lines : [entry.line])).length
  assert.equal(shown, lines.length - 1, 'the outcome that stands with its change')
  const [first] = entries
  assert.ok(first?.kind === 'session' && first.start < first.at)
})

test('rowsOf() puts a day before its first thing, and each day once', () => {
  const rows = rowsOf(entriesOf([line({}), line({}), line({ at: '2026-11-20T23:59:59Z' })]))
  assert.deepEqual(
    rows.map(({ kind }) => kind),
    ['day', 'entry', 'entry', 'day', 'entry'],
  )
})

test('openedText() says what was opened, of which time; a path that it does not know it shows', () => {
  assert.equal(
    openedText({ path: `${ORG}/costs`, query: 'from=2026-10-01&to=2026-10-31&groupBy=model' }),
    'Costs, 1 – 31 Oct 2026 (UTC), by model',
  )
  assert.equal(openedText({ path: `${ORG}/statement`, query: 'month=2026-10' }), 'Statement, Oct 2026')
  assert.equal(openedText({ path: `${ORG}/invoices/ASC-2026-1`, query: '' }), 'Invoice ASC-2026-1')
  assert.equal(
    openedText({ path: '/api/costs/daily', query: 'startDate=2026-10-01&endDate=2026-10-02' }),
    'Costs by day, 1 – 2 Oct 2026 (UTC)',
  )
  assert.equal(openedText({ path: `${ORG}/something-new`, query: '' }), `${ORG}/something-new`)
})

test('doneText() and actorText() have words for each kind, and say what they have no word for', () => {
  const done = (fields: Partial<AccessLogLine>): string => doneText(line(fields))
  assert.equal(done({ kind: 'write', method: 'DELETE', path: `${ORG}/credentials/k1` }), 'revoked the API key k1')
  assert.equal(
    done({ kind: 'support', method: 'PUT', path: `${ORG}/support-access`, detail: { requireApproval: true } }),
    'changed support access: support has to ask first',
  )
  assert.equal(
    done({ kind: 'act', detail: { verb: 'create_server', object: 'CloudSigmaMachine a/b', outcome: 'done' } }),
    'created a virtual machine, for CloudSigmaMachine a/b',
  )
  assert.equal(done({ kind: 'act', detail: { verb: 'start', outcome: 'not_sent' } }), 'started a virtual machine (not sent)')
  assert.equal(done({ kind: 'tomorrow', detail: { a: 1 } }), 'tomorrow (a 1)')
  assert.equal(actorText({ actor: user }), 'Ada')
  assert.equal(actorText({ actor: { kind: 'system', id: 'pod-7', roles: [], via: 'controller' } }), 'the controller pod-7')
  assert.equal(actorText({ actor: { kind: 'system', id: 'ascribe', roles: [], via: 'process' } }), 'ascribe')
  assert.equal(actorText({ actor: { kind: 'operator', roles: [], via: '' } }), 'somebody whose name was erased')
})
