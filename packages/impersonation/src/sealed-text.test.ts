import assert from 'node:assert/strict'
import { format, inspect } from 'node:util'
import { serialize } from 'node:v8'
import { test } from 'node:test'
import { createFakeClock } from '../test/support/fake-clock.ts'
import { TokenUnusableError } from './errors.ts'
import { ImpersonatedToken } from './impersonated-token.ts'
import { SealedText } from './sealed-text.ts'

const CANARY = 'canary-7f3a9c'

function impersonated(): { token: ImpersonatedToken; sealed: SealedText; clock: ReturnType<typeof createFakeClock> } {
  const clock = createFakeClock()
  const sealed = new SealedText(CANARY)
  const endsAtMs = clock.monotonicMs() + 60_000
  const fields = {
    token: sealed,
    subject: 'u',
    region: 'zrh',
    origin: 'https://direct.zrh.cloudsigma.com',
    generation: 1,
    lifeMs: 60_000,
    endsAtMs,
    clock,
  }
  return { token: new ImpersonatedToken(fields), sealed, clock }
}

/** Every way in which an object becomes text by accident. */
function printed(value: SealedText | ImpersonatedToken): string {
  return [
    String(value),
    `${value.toString()}`,
    JSON.stringify({ value }),
    inspect(value, { showHidden: true, depth: 10, getters: true, customInspect: false }),
    inspect(value),
    format('%s %j %o %O', value, value, value, value),
    serialize(Object.assign({}, value)).toString('latin1'),
    inspect(Object.getOwnPropertyDescriptors(value)),
    JSON.stringify(structuredClone(Object.assign({}, value))),
    new Error('failed', { cause: value }).stack ?? '',
    inspect(new Error('failed', { cause: value })),
  ].join('\n')
}

test('SealedText cannot be printed, inspected or serialized (H-15)', () => {
  const text = printed(new SealedText(CANARY))
  assert.doesNotMatch(text, new RegExp(CANARY))
  assert.doesNotMatch(text, new RegExp(Buffer.from(CANARY).toString('hex').match(/../g)?.join(' ') ?? ''))
  assert.match(text, /\[redacted\]/)
})

test('ImpersonatedToken cannot be printed, inspected or serialized (H-15)', () => {
  assert.doesNotMatch(printed(impersonated().token), new RegExp(CANARY))
})

test('SealedText.destroy() zeroes it and refuses to reveal it', () => {
  const sealed = new SealedText(CANARY)
  assert.equal(sealed.reveal(), CANARY)
  sealed.destroy()
  assert.throws(() => sealed.reveal(), TypeError)
})

test('ImpersonatedToken.authorization() gives its header for the issuing host alone (R-1, H-23)', () => {
  const { token } = impersonated()
  assert.equal(token.authorization('https://direct.zrh.cloudsigma.com'), `Bearer ${CANARY}`)
  for (const origin of [
    'https://zrh.cloudsigma.com',
    'https://direct.sjc.cloudsigma.com',
    'http://direct.zrh.cloudsigma.com',
    'https://direct.zrh.cloudsigma.com:8443',
    'https://direct.zrh.cloudsigma.com/',
    'https://direct.zrh.cloudsigma.com.evil.example',
    '',
  ])
    assert.throws(
      () => token.authorization(origin),
      (error) => error instanceof TokenUnusableError && error.reason === 'wrong_origin',
    )
})

test('ImpersonatedToken.authorization() refuses after its end, and once it was dropped', () => {
  const expired = impersonated()
  expired.clock.advance(60_000)
  assert.throws(
    () => expired.token.authorization(expired.token.origin),
    (error) => error instanceof TokenUnusableError && error.reason === 'token_expired',
  )
  const dropped = impersonated()
  dropped.sealed.destroy()
  assert.throws(
    () => dropped.token.authorization(dropped.token.origin),
    (error) => error instanceof TokenUnusableError && error.reason === 'token_dropped',
  )
})
