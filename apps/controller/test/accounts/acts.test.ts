import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CloudSigmaError, OwnerMismatchError } from '@ascribe/cloudsigma'
import { openJournalWriter, readJournal, recoverWriter } from '@ascribe/journal'
import type { JournalWriter } from '@ascribe/journal'
import { silentLogger, systemClock } from '@ascribe/kit'
import { tryLock } from '@ascribe/service'
import { unknownAct } from '@ascribe/usage'
import type { ActIntent, ActRecord } from '@ascribe/usage'
import { createActs } from '../../src/accounts/acts.ts'
import type { Act, ActFence } from '../../src/accounts/types.ts'

const OWNER = 'f2a9e6a0-6a55-4f0e-9d5e-1b2c3d4e5f60'
const ACT: Act = {
  verb: 'create_server',
  account: { kind: 'Owner', userUUID: OWNER, region: 'zrh', binding: 'team-a' },
  machine: { namespace: 'team', name: 'm-0', uid: 'u-0', cluster: 'c' },
  deadlineMs: 30_000,
  requestedBy: 'ada@example.test',
}

const OPEN: ActFence = { check: () => {} }

async function openJournal(): Promise<{ journal: JournalWriter; root: string } & AsyncDisposable> {
  const data = await mkdtemp(join(tmpdir(), 'ascribe-acts-'))
  const root = join(data, 'journal')
  const journal = await openJournalWriter({ root, tryLock, clock: systemClock, logger: silentLogger })
  return {
    journal,
    root,
    [Symbol.asyncDispose]: async () => {
      await journal.close()
      await rm(data, { recursive: true, force: true })
    },
  }
}

const actsOf = (journal: Pick<JournalWriter, 'admit' | 'sync'>, fence = OPEN, mints: readonly string[] = []) =>
  createActs({ journal, fence, controller: 'ascribe-controller/a', clock: systemClock, logger: silentLogger, mints: { take: () => mints } })

async function entriesOf(dir: string): Promise<{ kind: string; act: ActIntent & Partial<ActRecord> }[]> {
  const found: { kind: string; act: ActIntent }[] = []
  for await (const { entries } of readJournal(dir))
    found.push(...entries.map(({ kind, payload }) => ({ kind, act: JSON.parse(payload) as ActIntent })))
  return found
}

test('perform() has the intent in the journal before the call, and the outcome after it', async () => {
  await using place = await openJournal()
  const { journal } = place
  const acts = actsOf(journal, OPEN, ['aa'])
  const made = await acts.perform(ACT, async () => {
    const [intent, ...others] = await entriesOf(journal.dir)
    assert.equal(others.length, 0)
    assert.deepEqual([intent?.kind, intent?.act.verb, intent?.act.actor.object], ['intent', 'create_server', 'CloudSigmaMachine team/m-0'])
    return { object: { uuid: 'server-1' }, requestId: 'r-1' }
  })
  assert.equal(made.object.uuid, 'server-1')
  const [, settled] = await entriesOf(journal.dir)
  const { outcome, made: what, cloudRequestId, mints, authId, account, actor } = settled?.act ?? {}
  assert.deepEqual(
    { outcome, what, cloudRequestId, mints, authId, account, requestedBy: actor?.requestedBy },
    {
      outcome: 'done',
      what: { type: 'server', uuid: 'server-1' },
      cloudRequestId: 'r-1',
      mints: ['aa'],
      authId: `cloudsigma:${OWNER}`,
      account: { kind: 'Owner', userId: OWNER, region: 'zrh', binding: 'team-a' },
      requestedBy: 'ada@example.test',
    },
  )
})

test('perform() sends nothing when the journal does not take the intent', async () => {
  await using place = await openJournal()
  await place.journal.close()
  let sent = false
  const acts = actsOf(place.journal)
  await assert.rejects(
    acts.perform(ACT, async () => void (sent = true)),
    { code: 'ACT_NOT_RECORDED' },
  )
  assert.equal(sent, false)
})

test('perform() sends nothing when the intent could not be made durable', async () => {
  await using place = await openJournal()
  let sent = false
  const acts = actsOf({
    admit: (id, payload) => place.journal.admit(id, payload),
    sync: () => Promise.reject(new Error('the disk failed')),
  })
  await assert.rejects(
    acts.perform(ACT, async () => void (sent = true)),
    { code: 'ACT_NOT_RECORDED' },
  )
  assert.equal(sent, false)
})

test('perform() sends nothing when the lead ended while the journal wrote, and says so', async () => {
  await using place = await openJournal()
  let checks = 0
  const fence: ActFence = {
    check: () => {
      checks += 1
      if (checks === 2) throw new Error('the lead has ended')
    },
  }
  let sent = false
  await assert.rejects(
    actsOf(place.journal, fence).perform(ACT, async () => void (sent = true)),
    /lead has ended/,
  )
  assert.equal(sent, false)
  assert.equal((await entriesOf(place.journal.dir))[1]?.act.outcome, 'not_sent')
})

test('perform() tells what was refused from what may have been done, and never says what a peer said', async () => {
  await using place = await openJournal()
  const acts = actsOf(place.journal)
  const refused = new CloudSigmaError(
    { kind: 'payment', effect: 'none', status: 402, requestId: 'r-2', errorTypes: ['payment'] },
    { operation: 'servers.act', region: 'zrh' },
  )
  const lost = new CloudSigmaError(
    { kind: 'network', why: 'token=secret', effect: 'unknown', errorTypes: [] },
    { operation: 'servers.create', region: 'zrh' },
  )
  const foreign = new OwnerMismatchError({ created: 'server-9', expected: OWNER, actual: 'somebody' })
  for (const error of [refused, lost, foreign])
    await assert.rejects(
      acts.perform(ACT, () => Promise.reject(error)),
      error,
    )
  const ended = (await entriesOf(place.journal.dir)).filter(({ kind }) => kind === 'settlement').map(({ act }) => act)
  assert.deepEqual(
    ended.map(({ outcome, fault, status, cloudRequestId, made }) => ({ outcome, fault, status, cloudRequestId, made: made?.uuid })),
    [
      { outcome: 'refused', fault: 'payment', status: 402, cloudRequestId: 'r-2', made: undefined },
      { outcome: 'failed', fault: 'network', status: undefined, cloudRequestId: undefined, made: undefined },
      { outcome: 'done', fault: 'owner_mismatch', status: undefined, cloudRequestId: undefined, made: 'server-9' },
    ],
  )
  assert.doesNotMatch(JSON.stringify(ended), /secret/)
})

test('observe() puts the id of the request into the act that is under way, and into no other', async () => {
  await using place = await openJournal()
  const acts = actsOf(place.journal)
  const seen = { operation: 'servers.act', method: 'POST', region: 'zrh', outcome: 'done', status: 202, ms: 1 } as const
  const run = (requestId: string): Promise<void> =>
    acts.perform({ ...ACT, verb: 'start' }, async () => {
      await Promise.resolve()
      acts.observe({ ...seen, requestId })
    })
  acts.observe({ ...seen, requestId: 'of nobody' })
  await Promise.all([run('r-a'), run('r-b')])
  const ids = (await entriesOf(place.journal.dir)).flatMap(({ act }) => act.cloudRequestId ?? [])
  assert.deepEqual(ids.toSorted(), ['r-a', 'r-b'])
})

test('recovery closes an act whose process died as one of which nobody knows', async () => {
  await using place = await openJournal()
  const { journal } = place
  const never = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  void actsOf(journal).perform(ACT, () => (started.resolve(), never.promise))
  await started.promise
  await journal.close()
  await recoverWriter(journal.dir, {
    tryLock,
    clock: systemClock,
    logger: silentLogger,
    closeIntent: (_id, payload, at) => JSON.stringify(unknownAct(JSON.parse(payload) as ActIntent, at)),
  })
  assert.deepEqual(
    (await entriesOf(journal.dir)).map(({ kind, act }) => [kind, act.outcome]),
    [
      ['intent', undefined],
      ['settlement', 'unknown'],
    ],
  )
})
