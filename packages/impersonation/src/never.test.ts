import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../test/support/fake-clock.ts'
import { down } from '../test/support/failures.ts'
import { createWorld, ownerOf, refusalOf, uuidOf } from '../test/support/world.ts'
import type { ClientSecret } from './client-secret.ts'
import { AnswerInvalidError } from './errors.ts'
import { readProfile } from './read-profile.ts'
import { createRegionTable } from './region-table.ts'
import { SealedText } from './sealed-text.ts'
import type { Transport } from './wire.ts'

// What must never happen, as a reviewer could make it happen.

test('forget() of owners that are being minted never cuts off the others: it is no failure of the cloud', async () => {
  const { source, steps, meters } = createWorld({ limits: { mintsMax: 10 } })
  const gate = Promise.withResolvers<void>()
  steps.before = (step) => (step === 'impersonate' ? gate.promise : undefined)
  const waiting = Array.from({ length: 6 }, (_, owner) => refusalOf(source.token(ownerOf(owner)), 'forgotten'))
  await settle()
  for (let owner = 0; owner < 6; owner += 1) source.forget(uuidOf(owner))
  gate.resolve()
  await Promise.all(waiting)
  await settle()
  await source.token(ownerOf(9))
  assert.equal(meters.value('ascribe_breaker_state{host=direct.zrh.cloudsigma.com,step=impersonate}'), 0)
})

test('a policy that would refuse later never lets a call through now', async () => {
  const late = (): Promise<never> => Promise.reject(new Error('the binding is gone'))
  const { source, steps } = createWorld({ authorize: late as unknown as () => void })
  await refusalOf(source.token(ownerOf(1)), 'not_authorized')
  await settle()
  assert.equal(steps.calls.length, 0)
})

test('a token that was minted is never without a record, also when nobody got it', async () => {
  const { source, steps, audits } = createWorld()
  steps.before = (step) => {
    if (step === 'profile') throw down(step, 'timeout')
  }
  await refusalOf(source.token(ownerOf(1)), 'timeout')
  const leaving = new AbortController()
  steps.before = async (step) => {
    if (step !== 'profile') return
    leaving.abort()
    await settle()
  }
  await assert.rejects(source.token(ownerOf(2, { signal: leaving.signal })), { name: 'AbortError' })
  await settle()
  steps.before = (step) => {
    if (step === 'profile') throw down(step, 'timeout')
  }
  await refusalOf(source.discover({ ownerEmail: 'user3@example.com', region: 'zrh' }), 'timeout')
  assert.deepEqual(
    audits.map(({ act, outcome, reason, ownerUuid, tokenId }) => [act, outcome, reason, ownerUuid, tokenId?.length]),
    [
      ['mint', 'discarded', 'timeout', uuidOf(1), 64],
      ['mint', 'discarded', 'abandoned', uuidOf(2), 64],
      ['discover', 'discarded', 'timeout', undefined, 64],
    ],
  )
})

test('the token of somebody else is never left in memory, and its record names it', async () => {
  const { source, steps, audits } = createWorld()
  const sealed: SealedText[] = []
  const impersonate = steps.impersonate.bind(steps)
  steps.impersonate = async (...args) => {
    const response = await impersonate(...args)
    sealed.push(response.token)
    return response
  }
  steps.uuidOf = () => uuidOf(99)
  await refusalOf(source.token(ownerOf(1)), 'subject_mismatch')
  assert.deepEqual(
    sealed.map(({ isDestroyed }) => isDestroyed),
    [true],
  )
  // The digest is of the token, not of the zeroes that it has become.
  assert.equal(audits[0]?.tokenId, new SealedText('imp-3').digest())
})

test('discover() never mints for a caller that has left, and ends with the source', async () => {
  const reading = Promise.withResolvers<ClientSecret>()
  const { source, steps } = createWorld({ secret: () => reading.promise })
  const leaving = new AbortController()
  const found = source.discover({ ownerEmail: 'user1@example.com', region: 'zrh', signal: leaving.signal })
  leaving.abort()
  reading.resolve({ value: new SealedText('s3cret'), version: '1' })
  await assert.rejects(found, { name: 'AbortError' })
  await settle()
  assert.equal(steps.calls.length, 0)
  steps.before = () => Promise.withResolvers<void>().promise
  const open = refusalOf(source.discover({ ownerEmail: 'user1@example.com', region: 'zrh' }), 'closed')
  await settle()
  source[Symbol.dispose]()
  await open
})

test('a rotation that a flight finds by itself never costs a second one', async () => {
  let version = 'a'
  const { source, steps, clock } = createWorld({ secret: async () => ({ value: new SealedText(version), version }) })
  steps.lifeMs.service_token = 10_000
  await source.token(ownerOf(1))
  // The pair is used up, and the secret was read too short a time ago to be looked at by anybody else.
  clock.advance(7_000)
  version = 'b'
  const gate = Promise.withResolvers<void>()
  steps.before = (step) => (step === 'service_token' ? gate.promise : undefined)
  const first = source.token(ownerOf(2))
  await settle()
  const second = source.token(ownerOf(3))
  await settle()
  gate.resolve()
  await Promise.all([first, second])
  assert.deepEqual(
    steps.calls.filter(({ step }) => step === 'service_token').map(({ text }) => text),
    ['a', 'b'],
  )
})

test('a gateway that answered in its own words never keeps owners out for minutes once it is over', async () => {
  const { source, steps, clock } = createWorld()
  steps.before = (step) => {
    if (step === 'impersonate') throw new AnswerInvalidError('a page', { step, reason: 'answer_invalid' })
  }
  for (let times = 0; times < 4; times += 1) {
    await refusalOf(source.token(ownerOf(1)), 'answer_invalid')
    clock.advance(31_000)
  }
  assert.equal(steps.count('impersonate'), 4)
  steps.before = () => {}
  await source.token(ownerOf(1))
})

test('what is no UUID is never taken for the id of whoever is behind a token: it would go into bindings and records', async () => {
  const endpoint = createRegionTable({ regions: ['zrh'] }).endpoint('zrh')
  for (const uuid of ['me', '\u001b[31m', '00000000-0000-4000-8000-00000000000g', ' 00000000-0000-4000-8000-000000000000']) {
    const transport: Transport = async () => ({
      status: 200,
      headers: new Map(),
      body: JSON.stringify({ uuid, email: 'user@example.com' }),
    })
    await refusalOf(readProfile({ endpoint, token: new SealedText('token') }, { transport }), 'answer_invalid')
  }
})

test('an address that only looks like the one that was asked for is never it (H-6)', async () => {
  const { source, steps } = createWorld()
  for (const [owner, email] of ['\u212Aim1@example.com', '\uFF4Bim1@example.com', 'kim1@example.com\u200B'].entries()) {
    steps.profile = async () => ({ uuid: uuidOf(owner), email, state: undefined, requestId: undefined })
    await refusalOf(source.token(ownerOf(owner, { ownerEmail: 'kim1@example.com' })), 'email_mismatch')
  }
})
