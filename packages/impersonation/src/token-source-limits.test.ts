import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../test/support/fake-clock.ts'
import { down } from '../test/support/failures.ts'
import { createWorld, ownerOf, refusalOf, uuidOf } from '../test/support/world.ts'
import { AnswerInvalidError } from './errors.ts'

// What the source does when there is too much of something: owners, calls, failures, tokens.

test('token() has at most four impersonations under way at once (H-7)', async () => {
  const { source, steps } = createWorld()
  let under = 0
  let most = 0
  steps.before = async (step) => {
    if (step !== 'impersonate') return
    most = Math.max(most, (under += 1))
    await settle()
    under -= 1
  }
  await Promise.all(Array.from({ length: 40 }, (_, owner) => source.token(ownerOf(owner))))
  assert.equal(most, 4)
})

test('token() lets nobody fail for having had to wait for its turn', async () => {
  const { source, steps, clock } = createWorld()
  steps.lifeMs = { service_token: 3_600_000, rpt: 3_600_000, impersonate: 3_600_000 }
  steps.before = async (step) => {
    if (step === 'impersonate') await new Promise<void>((resolve) => clock.schedule(10_000, resolve))
  }
  const asks = Promise.all(Array.from({ length: 40 }, (_, owner) => source.token(ownerOf(owner))))
  for (let second = 0; second < 110; second += 1) {
    await settle()
    clock.advance(1_000)
  }
  assert.equal(new Set(await asks).size, 40)
})

test('token() limits an owner to three tokens at once and one a second, whatever drops them', async () => {
  const { source, clock, meters } = createWorld()
  for (let round = 0; round < 3; round += 1) source.invalidate(await source.token(ownerOf(1)))
  const error = await refusalOf(source.token(ownerOf(1)), 'owner_rate')
  assert.deepEqual([error.retryable, error.retryAfterMs], [true, 1000])
  assert.equal(meters.value('ascribe_token_throttled_total{reason=owner_rate}'), 1)
  await source.token(ownerOf(2))
  clock.advance(1000)
  await source.token(ownerOf(1))
})

test('token() backs off for one owner as long as the cloud asks, and serves the others', async () => {
  const { source, steps, clock } = createWorld()
  steps.before = (step) => {
    if (step === 'impersonate' && steps.calls.at(-1)?.ownerEmail === 'user1@example.com') throw down('impersonate', 'rate_limited', 90_000)
  }
  await refusalOf(source.token(ownerOf(1)), 'rate_limited')
  clock.advance(89_000)
  const error = await refusalOf(source.token(ownerOf(1)), 'backing_off')
  assert.equal(error.retryAfterMs, 1000)
  await source.token(ownerOf(2))
  const report = source.inspect().owners.find(({ ownerUuid }) => ownerUuid === uuidOf(1))
  assert.deepEqual(
    [report?.mints, report?.failures, report?.throttled, report?.lastReason, report?.backOffMs],
    [0, 1, 1, 'backing_off', 1000],
  )
})

test('token() leaves Keycloak alone for as long as it asks, for everybody', async () => {
  const { source, steps, clock } = createWorld()
  steps.before = (step) => {
    if (step === 'service_token') throw down('service_token', 'server_error', 30_000)
  }
  await refusalOf(source.token(ownerOf(1)), 'server_error')
  const error = await refusalOf(source.token(ownerOf(2)), 'circuit_open')
  assert.equal(error.retryAfterMs, 30_000)
  assert.equal(steps.count('service_token'), 1)
  clock.advance(30_000)
  steps.before = () => {}
  await source.token(ownerOf(3))
})

test('token() bounds its calls in an outage, whoever asks how often, and recovers by itself (vault-10918, msal-dotnet-4196)', async () => {
  const { source, steps, clock, meters } = createWorld()
  steps.before = (step) => {
    throw down(step, 'network')
  }
  const asks: Promise<unknown>[] = []
  for (let second = 0; second < 600; second += 1) {
    for (let owner = 0; owner < 10; owner += 1) asks.push(source.token(ownerOf(owner)).catch(() => {}))
    await settle()
    clock.advance(1000)
    await settle()
  }
  await Promise.all(asks)
  assert.ok(steps.calls.length <= 40, `${steps.calls.length} calls in ten minutes of 10 owners`)
  assert.equal(meters.value('ascribe_breaker_state{host=oauth.example,step=service_token}'), 2)
  steps.before = () => {}
  clock.advance(60_000)
  await source.token(ownerOf(1))
  assert.equal(meters.value('ascribe_breaker_state{host=oauth.example,step=service_token}'), 0)
})

test('token() takes a token that has expired on the way for an error, not for a value', async () => {
  const { source, steps, clock } = createWorld()
  steps.lifeMs.impersonate = 2_000
  steps.before = (step) => {
    if (step === 'profile') clock.advance(1_900)
  }
  assert.ok((await refusalOf(source.token(ownerOf(1)), 'expired_on_arrival')) instanceof AnswerInvalidError)
})

test('the cache is bounded by count and by bytes, and what was used longest ago goes first (keycloak-45241)', async () => {
  const { source, meters, clock } = createWorld({ limits: { entriesMax: 3 } })
  for (let owner = 0; owner < 3; owner += 1) await source.token(ownerOf(owner))
  clock.advance(1_000)
  const kept = await source.token(ownerOf(0))
  await source.token(ownerOf(3))
  assert.equal(source.inspect().entries, 3)
  assert.equal(await source.token(ownerOf(0)), kept)
  assert.equal(meters.value('ascribe_token_cache_evictions_total{reason=capacity}'), 1)
  const small = createWorld({ limits: { bytesMax: 5_000 } })
  for (let owner = 0; owner < 10; owner += 1) await small.source.token(ownerOf(owner))
  assert.ok(small.source.inspect().sizeBytes <= 5_000)
})
