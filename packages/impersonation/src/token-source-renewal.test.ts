import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../test/support/fake-clock.ts'
import { down, unknownUser } from '../test/support/failures.ts'
import { ORIGIN, createWorld, ownerOf, refusalOf, uuidOf } from '../test/support/world.ts'

// What becomes of a token that is held: renewed, refused, forgotten, swept.

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
