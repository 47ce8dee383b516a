import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import {
  LedgerInputError,
  closeSupportWindow,
  createOrganization,
  decideSupportRequest,
  findActing,
  listSupportRequests,
  openSupportWindow,
  readSupportAccess,
  setSupportAccess,
  startActing,
} from '../src/index.ts'
import type { Decision, StartOutcome, SupportRequest } from '../src/index.ts'
import { TEN, openLedger } from './support.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const audit = async (): Promise<void> => {}
const ada = { name: 'ada@example.com', issuer: 'teleport.example', roles: [] }
const bob = { ...ada, name: 'bob@example.com' }

/** One customer, and what its people and operators do there. */
async function customer(db: Database) {
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  const by = 'owner@acme.example'
  return {
    organizationId,
    requireApproval: (requireApproval: boolean, now = TEN) => setSupportAccess(db, { organizationId, requireApproval, by, now, audit }),
    start: (operator = ada, now = TEN): Promise<StartOutcome> =>
      startActing(db, { operator, organizationId, reason: 'asked', ticket: 'T-1', minutes: 60, now, audit }),
    find: async (operator = ada, now = TEN) => (await findActing(db, { operator, organizationId, now })).kind,
    requests: async (): Promise<readonly SupportRequest[]> => {
      const page = await listSupportRequests(db, { organizationId, now: TEN })
      assert.ok(page !== 'bad_cursor')
      return page.requests
    },
    decide: async (requestId: string, decision: Decision['decision'], fields: Partial<Decision> = {}) =>
      decideSupportRequest(db, { organizationId, requestId, decision, by, now: TEN, audit, ...fields }),
  }
}

function requestId(outcome: StartOutcome): string {
  assert.ok(outcome.kind === 'approval_required', outcome.kind)
  return outcome.supportRequestId
}

test('support access needs no action of the customer until the customer says so (seed: without any action by the customer)', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  assert.deepEqual(await readSupportAccess(db, acme.organizationId, TEN), { requireApproval: false })
  assert.equal((await acme.start()).kind, 'started')
  assert.equal(await acme.find(), 'active')
  assert.equal(await readSupportAccess(db, '00000000-0000-4000-8000-000000000000'), undefined)
})

test('setSupportAccess() ends what runs without an approval at once, and every operator then asks once', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  await acme.start()
  assert.equal(await acme.requireApproval(true), 'changed')
  assert.equal(await acme.requireApproval(true), 'unchanged')
  assert.equal(await acme.find(), 'revoked')
  assert.equal(await acme.find(bob), 'approval_required')
  const first = await acme.start()
  assert.deepEqual(first, { kind: 'approval_required', supportRequestId: requestId(first), isNew: true })
  assert.deepEqual(await acme.start(), { ...first, isNew: false })
  assert.equal(await acme.find(), 'approval_required')
  assert.deepEqual(
    (await acme.requests()).map(({ operator, state, reason }) => [operator, state, reason]),
    [[ada.name, 'pending', 'asked']],
  )
})

test('decideSupportRequest() lets in the operator who asked, until the customer said, and nobody else', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  await acme.requireApproval(true)
  const id = requestId(await acme.start())
  const decided = await acme.decide(id, 'approve', { until: TEN + 30 * MINUTE })
  assert.ok(decided.kind === 'decided')
  assert.deepEqual(
    [decided.request.state, decided.request.until, decided.request.decidedBy],
    ['approved', TEN + 30 * MINUTE, 'owner@acme.example'],
  )
  assert.equal(await acme.find(), 'no_session')
  const started = await acme.start()
  // Sixty minutes were asked for; the approval ends before.
  assert.equal(started.kind === 'started' && started.session.expiresAt, TEN + 30 * MINUTE)
  assert.equal(await acme.find(), 'active')
  assert.equal(await acme.find(ada, TEN + 30 * MINUTE), 'approval_required')
  assert.equal((await acme.start(bob)).kind, 'approval_required')
  assert.deepEqual(await acme.decide(id, 'approve'), { kind: 'not_possible', state: 'approved' })
})

test('decideSupportRequest() that refuses is what the operator is told, until a new request', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  await acme.requireApproval(true)
  const id = requestId(await acme.start())
  assert.equal((await acme.decide(id, 'refuse')).kind, 'decided')
  assert.equal(await acme.find(), 'refused')
  assert.deepEqual(await acme.decide(id, 'approve'), { kind: 'not_possible', state: 'refused' })
  assert.notEqual(requestId(await acme.start(ada, TEN + MINUTE)), id)
  assert.equal(await acme.find(ada, TEN + MINUTE), 'approval_required')
})

test('decideSupportRequest() that revokes ends the session at once: the next request of the operator is refused', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  await acme.requireApproval(true)
  const id = requestId(await acme.start())
  await acme.decide(id, 'approve')
  assert.equal((await acme.start()).kind, 'started')
  assert.equal(await acme.find(), 'active')
  const revoked = await acme.decide(id, 'revoke', { now: TEN + MINUTE })
  assert.equal(revoked.kind === 'decided' && revoked.request.state, 'revoked')
  assert.equal(await acme.find(ada, TEN + MINUTE), 'revoked')
  assert.equal((await acme.start(ada, TEN + MINUTE)).kind, 'approval_required')
  // Where no approval is needed, what was revoked still has to be begun anew.
  await acme.requireApproval(false, TEN + MINUTE)
  assert.equal(await acme.find(ada, TEN + MINUTE), 'revoked')
  assert.equal((await acme.start(ada, TEN + 2 * MINUTE)).kind, 'started')
})

test('openSupportWindow() lets every operator in until it closes, and closing ends what ran in it', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  const { organizationId } = acme
  await acme.requireApproval(true)
  const window = { organizationId, by: 'owner@acme.example', now: TEN, audit }
  assert.equal(await openSupportWindow(db, { ...window, until: TEN + 2 * DAY }), 'changed')
  assert.equal(await openSupportWindow(db, { ...window, until: TEN + DAY }), 'changed')
  assert.equal((await readSupportAccess(db, organizationId, TEN))?.window?.until, TEN + DAY)
  assert.equal((await acme.start()).kind, 'started')
  assert.equal((await acme.start(bob)).kind, 'started')
  assert.equal(await acme.find(bob, TEN + 59 * MINUTE), 'active')
  assert.equal(await closeSupportWindow(db, { ...window, now: TEN + MINUTE }), 'changed')
  assert.equal(await closeSupportWindow(db, { ...window, now: TEN + MINUTE }), 'unchanged')
  assert.equal(await acme.find(bob, TEN + MINUTE), 'revoked')
  for (const until of [TEN, TEN - 1, TEN + 31 * DAY]) await assert.rejects(openSupportWindow(db, { ...window, until }), LedgerInputError)
})

test('a request is the business of its organization alone, and lapses (never-list 6)', async () => {
  await using db = await openLedger()
  const [acme, other] = [await customer(db), await customer(db)]
  await acme.requireApproval(true)
  const id = requestId(await acme.start())
  for (const decision of ['approve', 'refuse', 'revoke'] as const) assert.deepEqual(await other.decide(id, decision), { kind: 'unknown' })
  assert.deepEqual(await acme.decide('nonsense', 'approve'), { kind: 'unknown' })
  assert.deepEqual(await other.requests(), [])
  assert.deepEqual(await acme.decide(id, 'approve', { now: TEN + 8 * DAY, until: TEN + 9 * DAY }), {
    kind: 'not_possible',
    state: 'lapsed',
  })
})

test('listSupportRequests() pages through all requests once, and takes no cursor of another organization', async () => {
  await using db = await openLedger()
  const [acme, other] = [await customer(db), await customer(db)]
  await acme.requireApproval(true)
  for (let n = 0; n < 5; n += 1) await acme.start({ ...ada, name: `op-${n}` }, TEN + (n > 2 ? 0 : n))
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await listSupportRequests(db, { organizationId: acme.organizationId, limit: 2, ...(cursor !== undefined && { cursor }) })
    assert.ok(page !== 'bad_cursor')
    seen.push(...page.requests.map(({ operator }) => operator))
    cursor = page.nextCursor
    if (cursor !== undefined) assert.equal(await listSupportRequests(db, { organizationId: other.organizationId, cursor }), 'bad_cursor')
  } while (cursor !== undefined)
  assert.deepEqual(seen.toSorted(), ['op-0', 'op-1', 'op-2', 'op-3', 'op-4'])
  assert.equal(seen[0], 'op-2')
  for (const bad of ['', 'x', Buffer.from('a'.repeat(22)).toString('base64url')]) {
    assert.equal(await listSupportRequests(db, { organizationId: acme.organizationId, cursor: bad }), 'bad_cursor')
  }
})

test('two people of a customer who answer at once: the first counts', async () => {
  await using db = await openLedger()
  const acme = await customer(db)
  await acme.requireApproval(true)
  const id = requestId(await acme.start())
  const outcomes = await Promise.all([acme.decide(id, 'approve'), acme.decide(id, 'refuse'), acme.decide(id, 'approve')])
  assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ['decided', 'not_possible', 'not_possible'])
})
