import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientRefused, unknownUser } from '../test/support/failures.ts'
import { createWorld, ownerOf, refusalOf, uuidOf } from '../test/support/world.ts'
import { SealedText } from './sealed-text.ts'

// For whom the source has no token: who is not in order, who is somebody else, who is refused; and how long it remembers that.

test('token() sends nothing for a region that is not in the table, or for an owner that cannot be one (H-3, H-6)', async () => {
  const { source, steps } = createWorld()
  await refusalOf(source.token(ownerOf(1, { region: 'evil.example/' })), 'region_unknown')
  await refusalOf(source.token(ownerOf(1, { region: 'dub' })), 'region_unknown')
  await refusalOf(source.token(ownerOf(1, { ownerUuid: 'user1' })), 'input_invalid')
  for (const ownerEmail of [
    '',
    'user',
    'a b@example.com',
    'usеr@example.com',
    'user@example.com\n',
    'ｕser@example.com',
    'a@b@c',
    `${'a'.repeat(251)}@b.c`,
  ])
    await refusalOf(source.token(ownerOf(1, { ownerEmail })), 'input_invalid')
  await refusalOf(source.token(ownerOf(1, { bindingGeneration: NaN })), 'input_invalid')
  assert.equal(steps.calls.length, 0)
})

test('token() destroys a token whose profile is another user, and asks nobody again for a while (R-2, H-23)', async () => {
  const { source, steps, audits, clock } = createWorld()
  steps.uuidOf = () => uuidOf(99)
  const error = await refusalOf(source.token(ownerOf(1)), 'subject_mismatch')
  assert.equal(error.code, 'IMPERSONATION_SUBJECT_MISMATCH')
  assert.deepEqual(
    audits.map(({ outcome, reason, ownerUuid, tokenId }) => [outcome, reason, ownerUuid, tokenId?.length]),
    [['refused', 'subject_mismatch', uuidOf(1), 64]],
  )
  await refusalOf(source.token(ownerOf(1)), 'subject_mismatch')
  assert.equal(steps.count('impersonate'), 1)
  clock.advance(31_000)
  steps.uuidOf = () => uuidOf(1)
  await source.token(ownerOf(1))
})

test('token() destroys a token that says that it is another user, without asking for the profile (R-2)', async () => {
  const { source, steps } = createWorld()
  const impersonate = steps.impersonate.bind(steps)
  steps.impersonate = async (...args) => ({ ...(await impersonate(...args)), claims: { sub: uuidOf(7) } })
  await refusalOf(source.token(ownerOf(1)), 'subject_mismatch')
  assert.equal(steps.count('profile'), 0)
  const trusting = createWorld({ limits: { subjectClaim: 'none' } })
  trusting.steps.impersonate = async (...args) =>
    ({ token: new SealedText('opaque'), lifeMs: 60_000, lifeFrom: 'claims', claims: { sub: 'f:keycloak:7' }, args }) as never
  trusting.steps.profile = async () => ({ uuid: uuidOf(1), email: 'USER1@example.com', state: undefined, requestId: undefined })
  await trusting.source.token(ownerOf(1))
})

test('token() refuses a user whose address is another one by now (R-2, H-6)', async () => {
  const { source, steps } = createWorld()
  steps.profile = async () => ({ uuid: uuidOf(1), email: 'renamed@example.com', state: undefined, requestId: undefined })
  await refusalOf(source.token(ownerOf(1)), 'email_mismatch')
})

test('token() does not act for a suspended account (5.7)', async () => {
  const { source, steps } = createWorld()
  steps.profile = async () => ({ uuid: uuidOf(1), email: 'user1@example.com', state: 'SUSPENDED', requestId: undefined })
  const error = await refusalOf(source.token(ownerOf(1)), 'user_refused')
  assert.deepEqual([error.step, error.retryable], ['profile', false])
  assert.equal((await source.discover({ ownerEmail: 'user1@example.com', region: 'zrh' })).state, 'SUSPENDED')
})

test('token() remembers a refused user for 30 s, then twice as long each time, and a new binding asks anew (capa-4162)', async () => {
  const { source, steps, clock } = createWorld()
  steps.before = (step) => {
    if (step === 'impersonate') throw unknownUser()
  }
  await refusalOf(source.token(ownerOf(1)), 'user_unknown')
  const remembered = await refusalOf(source.token(ownerOf(1)), 'user_unknown')
  assert.ok((remembered.retryAfterMs ?? 0) > 25_000)
  assert.equal(steps.count('impersonate'), 1)
  clock.advance(30_000)
  await refusalOf(source.token(ownerOf(1)), 'user_unknown')
  clock.advance(30_000)
  await refusalOf(source.token(ownerOf(1)), 'user_unknown')
  assert.equal(steps.count('impersonate'), 2)
  await refusalOf(source.token(ownerOf(1, { bindingGeneration: 2 })), 'user_unknown')
  assert.equal(steps.count('impersonate'), 3)
  // An address that was put right asks anew as well.
  steps.before = () => {}
  clock.advance(1_000)
  assert.equal((await source.token(ownerOf(1, { ownerEmail: 'new1@example.com' }))).subject, uuidOf(1))
})

test('token() remembers a refused client for everybody, and not for ten minutes', async () => {
  const { source, steps, clock } = createWorld()
  steps.before = (step) => {
    if (step === 'rpt') throw clientRefused('rpt', 'permission_denied')
  }
  await refusalOf(source.token(ownerOf(1)), 'permission_denied')
  await refusalOf(source.token(ownerOf(2)), 'permission_denied')
  assert.equal(steps.count('rpt'), 1)
  clock.advance(31_000)
  steps.before = () => {}
  await source.token(ownerOf(3))
})
