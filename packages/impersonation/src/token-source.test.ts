import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { settle } from '../test/support/fake-clock.ts'
import { createWorld, ownerOf, refusalOf, uuidOf } from '../test/support/world.ts'
import { ClientRefusedError, MintUnavailableError, OwnerRefusedError } from './errors.ts'
import type { Reason } from './errors.ts'
import type { WireStep } from './refusal.ts'
import { SealedText } from './sealed-text.ts'

const ORIGIN = 'https://direct.zrh.cloudsigma.com'

const down = (step: WireStep, reason: Reason = 'server_error', retryAfterMs?: number): Error =>
  new MintUnavailableError('down', { step, reason, retryAfterMs })
const clientRefused = (step: WireStep, reason: Reason = 'client_refused'): Error => new ClientRefusedError('refused', { step, reason })
const unknownUser = (): Error => new OwnerRefusedError('unknown', { step: 'impersonate', reason: 'user_unknown', status: 404 })

test('token() mints in three steps, asserts whose it is, writes it down, and then gives it from the cache', async () => {
  const { source, steps, audits, meters } = createWorld()
  const token = await source.token(ownerOf(1))
  assert.deepEqual(
    steps.calls.map(({ step }) => step),
    ['service_token', 'rpt', 'impersonate', 'profile'],
  )
  assert.equal(token.subject, uuidOf(1))
  assert.equal(token.authorization(ORIGIN), 'Bearer imp-3')
  assert.equal(await source.token(ownerOf(1)), token)
  assert.equal(steps.calls.length, 4)
  assert.deepEqual([meters.value('ascribe_token_cache_hits_total'), meters.value('ascribe_token_cache_misses_total')], [1, 1])
  assert.equal(audits.length, 1)
  assert.deepEqual(
    { ...audits[0], tokenId: undefined, at: undefined },
    {
      act: 'mint',
      cause: 'first',
      actor: {},
      ownerUuid: uuidOf(1),
      bindingGeneration: 1,
      region: 'zrh',
      origin: ORIGIN,
      outcome: 'minted',
      reason: undefined,
      issuer: 'https://oauth.example/realms/cloud',
      clientId: 'kubernetes_cluster_service',
      requestId: 'req-1',
      tokenId: undefined,
      tokenActor: undefined,
      lifeMs: 300_000,
      at: undefined,
    },
  )
  assert.match(audits[0]?.tokenId ?? '', /^[0-9a-f]{64}$/)
})

test('token() gives 50 machines of one owner that start at once one token for one call of each step', async () => {
  const { source, steps, meters } = createWorld()
  const tokens = await Promise.all(Array.from({ length: 50 }, () => source.token(ownerOf(1))))
  assert.equal(new Set(tokens).size, 1)
  assert.deepEqual(
    ['service_token', 'rpt', 'impersonate', 'profile'].map((step) => steps.count(step as WireStep)),
    [1, 1, 1, 1],
  )
  assert.equal(meters.value('ascribe_token_cache_misses_total'), 50)
})

test('token() lets all owners share one service account token and one RPT', async () => {
  const { source, steps } = createWorld()
  await Promise.all(Array.from({ length: 20 }, (_, owner) => source.token(ownerOf(owner))))
  assert.deepEqual([steps.count('service_token'), steps.count('rpt'), steps.count('impersonate')], [1, 1, 20])
})

test('token() keeps owners, regions and binding generations apart (H-7, 5.4)', async () => {
  const { source, clock } = createWorld()
  const requests = [
    ownerOf(1),
    ownerOf(2),
    ownerOf(1, { region: 'sjc' }),
    ownerOf(1, { bindingGeneration: 2 }),
    ownerOf(1, { bindingGeneration: '1' }),
  ]
  const headers: string[] = []
  for (const request of requests) {
    const token = await source.token(request)
    headers.push(token.authorization(token.origin))
    clock.advance(1000)
  }
  assert.equal(new Set(headers).size, requests.length)
})

test('token() asks the policy before the cache, each time (never-list 8)', async () => {
  let isAllowed = true
  const { source, steps, meters } = createWorld({
    authorize: () => {
      if (!isAllowed) throw new Error('the binding is gone')
    },
  })
  await source.token(ownerOf(1))
  isAllowed = false
  const error = await refusalOf(source.token(ownerOf(1)), 'not_authorized')
  assert.match(String(error.cause), /the binding is gone/)
  assert.equal(steps.calls.length, 4)
  assert.equal(meters.value('ascribe_impersonation_denied_total{reason=not_authorized}'), 1)
})

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

test('token() hands nothing out before the audit record is stored, and nothing at all when it cannot be (never-list 7)', async () => {
  const stored = Promise.withResolvers<void>()
  const slow = createWorld({ audit: () => stored.promise })
  let hasToken = false
  const waiting = slow.source.token(ownerOf(1)).then(() => (hasToken = true))
  await settle()
  assert.deepEqual([slow.steps.count('profile'), hasToken], [1, false])
  stored.resolve()
  await waiting

  const broken = createWorld({ audit: () => Promise.reject(new Error('disk full')) })
  const error = await refusalOf(broken.source.token(ownerOf(1)), 'audit_failed')
  assert.match(String(error.cause), /disk full/)
  assert.equal(broken.meters.value('ascribe_impersonation_audit_failures_total'), 1)
  // Whoever comes back at once burns no more tokens.
  await refusalOf(broken.source.token(ownerOf(1)), 'backing_off')
  assert.equal(broken.steps.count('impersonate'), 1)
})

test('token() does not wait for ever for an audit sink that hangs', async () => {
  const { source, clock, meters } = createWorld({ audit: () => new Promise(() => {}) })
  const refused = refusalOf(source.token(ownerOf(1)), 'audit_failed')
  await settle()
  clock.advance(25_000)
  await refused
  assert.equal(meters.value('ascribe_impersonation_audit_failures_total'), 1)
  await settle()
  assert.equal(source.inspect().flights, 0)
})

test('token() renews in the soft window, once, while the old token is handed out', async () => {
  const { source, steps, clock } = createWorld()
  const old = await source.token(ownerOf(1))
  const gate = Promise.withResolvers<void>()
  steps.before = (step) => (step === 'impersonate' ? gate.promise : undefined)
  clock.advance(241_000)
  for (let caller = 0; caller < 20; caller += 1) assert.equal(await source.token(ownerOf(1)), old)
  await settle()
  assert.equal(steps.count('impersonate'), 2)
  gate.resolve()
  await settle()
  const renewed = await source.token(ownerOf(1))
  assert.notEqual(renewed, old)
  assert.equal(renewed.generation, old.generation + 1)
  // Who holds the old one may finish what was begun.
  assert.match(old.authorization(ORIGIN), /^Bearer /)
})

test('token() goes on with the old token while renewal fails, with pauses, until the hard line; then callers get the error (vault-26844)', async () => {
  const { source, steps, clock, meters } = createWorld()
  const old = await source.token(ownerOf(1))
  steps.before = (step) => {
    if (step === 'impersonate') throw down(step)
  }
  clock.advance(241_000)
  for (let second = 241; second < 285; second += 1) {
    assert.equal(await source.token(ownerOf(1)), old)
    await settle()
    clock.advance(1000)
    await settle()
  }
  const tried = steps.count('impersonate') - 1
  assert.ok(tried >= 2 && tried <= 20, `${tried} renewals`)
  assert.ok(meters.value('ascribe_token_refreshes_total{outcome=server_error}') >= 1)
  const error: unknown = await source.token(ownerOf(1)).catch((cause: unknown) => cause)
  assert.ok(error instanceof Error)
})

test('token() stops using the old token when renewal is told that the user is gone (fail closed)', async () => {
  const { source, steps, clock } = createWorld()
  const old = await source.token(ownerOf(1))
  clock.advance(241_000)
  steps.before = (step) => {
    if (step === 'impersonate') throw unknownUser()
  }
  assert.equal(await source.token(ownerOf(1)), old)
  await settle()
  await refusalOf(source.token(ownerOf(1)), 'user_unknown')
  assert.throws(() => old.authorization(ORIGIN), /dropped/)
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

test('token() keeps the service token when only the RPT could not be had', async () => {
  const { source, steps, clock } = createWorld()
  steps.before = (step) => {
    if (step === 'rpt') throw down('rpt', 'timeout')
  }
  await refusalOf(source.token(ownerOf(1)), 'timeout')
  steps.before = () => {}
  clock.advance(1_000)
  await source.token(ownerOf(1))
  assert.deepEqual([steps.count('service_token'), steps.count('rpt')], [1, 2])
})

test('token() gets one more service token when Keycloak does not believe the first any more', async () => {
  const { source, steps } = createWorld()
  let refusals = 1
  steps.before = (step) => {
    if (step === 'rpt' && refusals-- > 0) throw clientRefused('rpt', 'bearer_refused')
  }
  await source.token(ownerOf(1))
  assert.deepEqual([steps.count('service_token'), steps.count('rpt')], [2, 2])
  const stubborn = createWorld()
  stubborn.steps.before = (step) => {
    if (step === 'rpt') throw clientRefused('rpt', 'bearer_refused')
  }
  await refusalOf(stubborn.source.token(ownerOf(1)), 'bearer_refused')
  assert.equal(stubborn.steps.count('service_token'), 2)
})

test('token() gets one more pair when step 3 does not believe it, and never mixes two pairs', async () => {
  const { source, steps } = createWorld()
  let refusals = 1
  steps.before = (step) => {
    if (step === 'impersonate' && refusals-- > 0) throw clientRefused('impersonate', 'bearer_refused')
  }
  await source.token(ownerOf(1))
  for (const { step, text } of steps.calls) if (step === 'impersonate') assert.match(text, /^rpt-\d+-of-(sa-\d+) \1$/)
  assert.equal(steps.count('service_token'), 2)
})

test('token() uses a pair only while two more hops fit into its life', async () => {
  const { source, steps, clock } = createWorld()
  steps.lifeMs.rpt = 60_000
  await source.token(ownerOf(1))
  clock.advance(39_000)
  await source.token(ownerOf(2))
  assert.equal(steps.count('rpt'), 1)
  clock.advance(1_000)
  await source.token(ownerOf(3))
  assert.deepEqual([steps.count('service_token'), steps.count('rpt')], [1, 2])
  clock.advance(241_000)
  await source.token(ownerOf(4))
  assert.deepEqual([steps.count('service_token'), steps.count('rpt')], [2, 3])
})

test('invalidate() drops just the token that got the 401, and not the one that took its place (R-8)', async () => {
  const { source, audits } = createWorld()
  const first = await source.token(ownerOf(1))
  const other = await source.token(ownerOf(2))
  assert.equal(source.invalidate(first), true)
  assert.throws(() => first.authorization(ORIGIN), /dropped/)
  const second = await source.token(ownerOf(1))
  assert.notEqual(second, first)
  assert.equal(source.invalidate(first), false)
  assert.equal(await source.token(ownerOf(1)), second)
  assert.equal(await source.token(ownerOf(2)), other)
  assert.deepEqual(
    audits.map(({ cause }) => cause),
    ['first', 'first', 'rejected'],
  )
})

test('authenticator() gives a header for the issuing host, and one 401 costs one token', async () => {
  const { source, steps } = createWorld()
  const authenticator = source.authenticator(ownerOf(1))
  const { header, token } = await authenticator.authorize(ORIGIN)
  assert.equal(header, 'Bearer imp-3')
  authenticator.rejected(token)
  authenticator.rejected(token)
  assert.equal((await authenticator.authorize(ORIGIN)).header, 'Bearer imp-4')
  assert.equal(steps.count('impersonate'), 2)
  await assert.rejects(authenticator.authorize('https://zrh.cloudsigma.com'), /acts as somebody else/)
})

test('one caller that leaves does not cancel the others, and the last one does', async () => {
  const { source, steps } = createWorld()
  let ended = 0
  const gate = Promise.withResolvers<void>()
  steps.before = (step, signal) => {
    if (step !== 'impersonate') return undefined
    signal.addEventListener('abort', () => (ended += 1))
    return Promise.race([
      gate.promise,
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ])
  }
  const leaving = new AbortController()
  const first = source.token(ownerOf(1, { signal: leaving.signal }))
  const second = source.token(ownerOf(1))
  await settle()
  leaving.abort(new Error('gone'))
  await assert.rejects(first, /gone/)
  assert.equal(ended, 0)
  gate.resolve()
  await second
})

test('a caller that comes just after the last one left gets a flight of its own, not the end of theirs', async () => {
  const { source, steps } = createWorld()
  steps.before = (step, signal) =>
    step === 'impersonate' && steps.count('impersonate') === 1
      ? new Promise<void>((_, reject) => signal.addEventListener('abort', () => void settle().then(() => reject(signal.reason as Error))))
      : undefined
  const leaving = new AbortController()
  const first = source.token(ownerOf(1, { signal: leaving.signal }))
  await settle()
  leaving.abort(new Error('gone'))
  await assert.rejects(first, /gone/)
  const token = await source.token(ownerOf(1))
  await settle()
  assert.equal(await source.token(ownerOf(1)), token)
})

test("forget() drops an owner's tokens and ends what is being minted; the others keep theirs", async () => {
  const { source, steps } = createWorld()
  const mine = await source.token(ownerOf(1))
  const other = await source.token(ownerOf(2))
  const gate = Promise.withResolvers<void>()
  steps.before = (step) => (step === 'impersonate' ? gate.promise : undefined)
  const waiting = source.token(ownerOf(1, { region: 'sjc' }))
  await settle()
  source.forget(uuidOf(1).toUpperCase())
  gate.resolve()
  await refusalOf(waiting, 'forgotten')
  assert.throws(() => mine.authorization(ORIGIN), /dropped/)
  assert.equal(await source.token(ownerOf(2)), other)
  assert.equal(source.inspect().entries, 1)
})

test('discover() tells who stands behind an address, keeps nothing, and leaves one audit record', async () => {
  const { source, steps, audits } = createWorld()
  const found = await source.discover({ ownerEmail: 'User7@example.com', region: 'zrh', actor: { operator: 'ada' } })
  assert.deepEqual([found.ownerUuid, found.ownerEmail, found.lifeMs, found.origin], [uuidOf(7), 'User7@example.com', 300_000, ORIGIN])
  assert.deepEqual(
    steps.calls.map(({ step }) => step),
    ['service_token', 'rpt', 'impersonate', 'profile'],
  )
  assert.equal(source.inspect().entries, 0)
  assert.deepEqual(
    audits.map(({ act, ownerUuid, actor, outcome }) => [act, ownerUuid, actor, outcome]),
    [['discover', uuidOf(7), { operator: 'ada' }, 'minted']],
  )
  assert.doesNotMatch(JSON.stringify([found, audits]), /imp-|sa-/)
  steps.profile = async () => ({ uuid: uuidOf(8), email: 'somebody@example.com', state: undefined, requestId: undefined })
  await refusalOf(source.discover({ ownerEmail: 'user7@example.com', region: 'zrh' }), 'email_mismatch')
})

test('sweep() drops what has ended and what nobody used for as long as it lives, and zeroes it', async () => {
  const { source, clock, meters } = createWorld()
  const token = await source.token(ownerOf(1))
  clock.advance(100_000)
  await source.token(ownerOf(1))
  source.sweep()
  assert.equal(meters.value('ascribe_token_seconds_to_expiry'), 200)
  clock.advance(61_000)
  source.sweep()
  assert.equal(meters.value('ascribe_token_seconds_to_expiry'), NaN)
  clock.advance(130_000)
  source.sweep()
  assert.equal(source.inspect().entries, 0)
  assert.throws(() => token.authorization(ORIGIN), /dropped/)
})

test('nothing that the source shows holds a token, a secret or an address', async () => {
  const { source, audits } = createWorld()
  const token = await source.token(ownerOf(1))
  const shown = [
    inspect(source, { depth: 20, showHidden: true }),
    inspect(token),
    JSON.stringify([source, token, source.inspect(), audits]),
  ].join('\n')
  assert.doesNotMatch(shown, /imp-3|sa-1|s3cret|user1@example/)
})

test('tokens of a pair are zeroed a minute after they were dropped, or at once when the source is closed', async () => {
  const { source, steps, clock } = createWorld()
  const pairs: SealedText[] = []
  const [first, second] = [steps.serviceToken.bind(steps), steps.rpt.bind(steps)]
  steps.serviceToken = async (...args) => {
    const response = await first(...args)
    pairs.push(response.token)
    return response
  }
  steps.rpt = async (...args) => {
    const response = await second(...args)
    pairs.push(response.token)
    return response
  }
  await source.token(ownerOf(1))
  clock.advance(281_000)
  await source.token(ownerOf(2))
  clock.advance(59_000)
  assert.deepEqual(
    pairs.map(({ isDestroyed }) => isDestroyed),
    [false, false, false, false],
  )
  clock.advance(1_000)
  assert.deepEqual(
    pairs.map(({ isDestroyed }) => isDestroyed),
    [true, true, false, false],
  )
  source[Symbol.dispose]()
  assert.deepEqual(
    pairs.map(({ isDestroyed }) => isDestroyed),
    [true, true, true, true],
  )
  assert.equal(clock.pending, 0)
})

test('a closed source mints nothing, has zeroed what it held, and leaves no timer', async () => {
  const { source, clock } = createWorld({ limits: { sweepMs: 10_000 } })
  const token = await source.token(ownerOf(1))
  source[Symbol.dispose]()
  assert.throws(() => token.authorization(ORIGIN), /dropped/)
  await refusalOf(source.token(ownerOf(1)), 'closed')
  assert.equal(clock.pending, 0)
})
