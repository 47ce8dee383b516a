import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeySet } from '@ascribe/identity/jwt'
import { createAssertionVerifier, viewerRole } from '@ascribe/identity/teleport'
import type { AssertionOutcome } from '@ascribe/identity/teleport'
import { silentLogger } from '@ascribe/kit'
import { startTeleport } from '@ascribe/sandbox/teleport'
import type { SandboxTeleport, TeleportFaults } from '@ascribe/sandbox/teleport'

// What the sandbox Teleport signs, under the verifier that the internal listener uses. They share no code: the one signs with
// node:crypto, the other verifies with jose.

const [OLGA, NORA] = ['olga@ops.example', 'nora@ops.example']
const AUDIENCE = 'http://127.0.0.1:34679'

async function cluster(): Promise<SandboxTeleport> {
  return startTeleport({ apps: [{ name: 'api', uri: AUDIENCE, publicAddr: 'api.teleport.localhost' }] })
}

function verifierOf({ jwksUrl, issuer }: SandboxTeleport): (...tokens: readonly string[]) => Promise<AssertionOutcome> {
  const keys = createKeySet({ jwksUrl, name: issuer, logger: silentLogger })
  const verifier = createAssertionVerifier({ issuer, audience: AUDIENCE, viewers: [viewerRole('billing-viewer')], keys })
  return (...tokens) => verifier.verify(tokens.flatMap((token) => ['Teleport-Jwt-Assertion', token]))
}

const checkOf = (outcome: AssertionOutcome): string => (outcome.kind === 'refused' ? outcome.check : outcome.kind)

test('assertion: R16: a sandbox assertion is believed, and says who and until when', async () => {
  await using teleport = await cluster()
  const outcome = await verifierOf(teleport)(teleport.assertion(OLGA, { app: 'api', ttlMs: 3_600_000 }))
  assert.ok(outcome.kind === 'verified')
  const { name, issuer, roles, issuedAt, expiresAt } = outcome.operator
  assert.deepEqual([name, issuer, roles], [OLGA, 'teleport.localhost', ['access', 'billing-viewer']])
  assert.equal(expiresAt - issuedAt, 3_600_000)
})

for (const [faults, check] of [
  [{ expired: true }, 'expired'],
  [{ clockSkewMs: 3_600_000 }, 'not_yet_valid'],
  [{ wrongAudience: true }, 'audience'],
  [{ wrongIssuer: true }, 'issuer'],
  [{ wrongKey: true }, 'signature'],
  [{ wrongSubject: true }, 'subject'],
  [{ noRoles: true }, 'role'],
  [{ algorithm: 'none' }, 'shape'],
  [{ algorithm: 'HS256' }, 'algorithm'],
  [{ traitBytes: 70_000 }, 'size'],
] as const satisfies readonly (readonly [TeleportFaults, string])[]) {
  test(`assertion: R16: refused when ${JSON.stringify(faults)}`, async () => {
    await using teleport = await cluster()
    assert.equal(checkOf(await verifierOf(teleport)(teleport.assertion(OLGA, { app: 'api', faults }))), check)
  })
}

test('assertion: R16: none, two, and one of somebody without the role are refused; a long one of many groups is not', async () => {
  await using teleport = await cluster()
  const verify = verifierOf(teleport)
  const good = teleport.assertion(OLGA, { app: 'api' })
  assert.equal(checkOf(await verify()), 'header')
  assert.equal(checkOf(await verify(good, good)), 'header')
  assert.equal(checkOf(await verify(teleport.assertion(NORA, { app: 'api' }))), 'role')
  assert.equal(checkOf(await verify(teleport.assertion(OLGA, { app: 'api', faults: { traitBytes: 30_000 } }))), 'verified')
})

test('assertion: R16: keys rotate under a running verifier, with and without key ids, and a dropped key is refused once the copy is old', async () => {
  for (const faults of [{}, { noKid: true }]) {
    await using teleport = await cluster()
    let now = Date.now()
    const keys = createKeySet({ jwksUrl: teleport.jwksUrl, name: 'cluster', logger: silentLogger, clock: () => now })
    const viewers = [viewerRole('billing-viewer')]
    const verifier = createAssertionVerifier({ issuer: teleport.issuer, audience: AUDIENCE, viewers, keys, clock: () => now })
    const verify = async (token: string): Promise<string> => checkOf(await verifier.verify(['Teleport-Jwt-Assertion', token]))
    teleport.setFaults(faults)
    const old = teleport.assertion(OLGA, { app: 'api', faults })
    assert.equal(await verify(old), 'verified')
    await teleport.rotateKeys()
    // At once: whoever waits for a cooldown locks operators out for as long.
    assert.equal(await verify(teleport.assertion(OLGA, { app: 'api', faults })), 'verified')
    assert.equal(await verify(old), 'verified')
    teleport.dropOldKeys()
    now += 3_600_000
    const outcomes = [await verify(old), await verify(teleport.assertion(OLGA, { app: 'api', faults }))]
    assert.equal(outcomes[1], 'verified')
    assert.notEqual(outcomes[0], 'verified')
  }
})
