import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { settle } from '../test/support/fake-clock.ts'
import { ORIGIN, createWorld, ownerOf, refusalOf, uuidOf } from '../test/support/world.ts'
import type { WireStep } from './refusal.ts'

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

test('a closed source mints nothing, has zeroed what it held, and leaves no timer', async () => {
  const { source, clock } = createWorld({ limits: { sweepMs: 10_000 } })
  const token = await source.token(ownerOf(1))
  source[Symbol.dispose]()
  assert.throws(() => token.authorization(ORIGIN), /dropped/)
  await refusalOf(source.token(ownerOf(1)), 'closed')
  assert.equal(clock.pending, 0)
})
