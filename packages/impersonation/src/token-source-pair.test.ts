import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientRefused, down } from '../test/support/failures.ts'
import { createWorld, ownerOf, refusalOf } from '../test/support/world.ts'
import type { SealedText } from './sealed-text.ts'

// The service account token and the RPT that all owners share.

test('token() lets all owners share one service account token and one RPT', async () => {
  const { source, steps } = createWorld()
  await Promise.all(Array.from({ length: 20 }, (_, owner) => source.token(ownerOf(owner))))
  assert.deepEqual([steps.count('service_token'), steps.count('rpt'), steps.count('impersonate')], [1, 1, 20])
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
