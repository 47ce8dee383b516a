import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startSandboxCloud } from '@ascribe/sandbox'
import { CLIENT, testCloud, whoami } from '../support/cloud-suite.ts'
import type { CloudPlace } from '../support/cloud-suite.ts'
import { temporaryDir } from '../support/product.ts'
import { keycloak } from './keycloak/install.ts'
import { startKeycloak } from './keycloak/start.ts'
import type { Keycloak } from './keycloak/start.ts'

const available = await keycloak()
const { skip } = available

/** A real Keycloak, and a sandbox cloud that takes its tokens by its JWKS. */
async function openKeycloakCloud(): Promise<CloudPlace & { readonly keycloak: Keycloak }> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startKeycloak(available.skip === false ? { installed: available.installed } : {}))
  const cloud = stack.use(await startSandboxCloud({ trustIssuers: [server.issuer('cloud')] }))
  const owned = stack.move()
  return {
    keycloak: server,
    cloud,
    oauthUrl: server.url,
    realm: 'cloud',
    lifeMs: 60_000,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const placeOf = testCloud('Keycloak', openKeycloakCloud, { skip })
const dir = temporaryDir()
after(() => dir[Symbol.dispose]())

test('Keycloak: called by another name, it is another issuer, which the cloud does not believe', { skip }, async () => {
  const { answer } = await whoami(placeOf(), {
    dir: dir.path,
    env: { CLOUDSIGMA_OAUTH_URL: placeOf().oauthUrl.replace('127.0.0.1', 'localhost') },
  })
  assert.deepEqual([answer.ok, answer.failure?.step, answer.failure?.reason], [false, 'impersonate', 'bearer_refused'])
})

test('Keycloak: a secret that was rotated there is refused here until it is changed here', { skip }, async () => {
  const found = (await (await placeOf().keycloak.adminFetch('cloud', `/clients?clientId=${CLIENT}`)).json()) as { readonly id: string }[]
  const [client] = found
  assert.ok(client)
  await placeOf().keycloak.adminFetch('cloud', `/clients/${client.id}`, { method: 'PUT', body: { ...client, secret: 'rotated-there' } })
  const { answer } = await whoami(placeOf(), { dir: dir.path })
  assert.deepEqual([answer.ok, answer.failure?.reason], [false, 'client_refused'])
  assert.equal((await whoami(placeOf(), { dir: dir.path, env: { CLOUDSIGMA_CLIENT_SECRET: 'rotated-there' } })).answer.ok, true)
  await placeOf().keycloak.adminFetch('cloud', `/clients/${client.id}`, { method: 'PUT', body: client })
})

test('Keycloak: tokens of a new signing key are believed at once', { skip }, async () => {
  await placeOf().keycloak.rotateKey('cloud')
  assert.equal((await whoami(placeOf(), { dir: dir.path })).answer.ok, true)
})

test('Keycloak: tokens of two seconds last for the way, and one that is dead on arrival is told', { skip }, async () => {
  const env = { CLOUDSIGMA_CLIENT_ID: 'short_lived_service', CLOUDSIGMA_CLIENT_SECRET: 'sl-secret' }
  const { answer } = await whoami(placeOf(), { dir: dir.path, env })
  assert.deepEqual(
    answer.steps.slice(0, 2).map(({ life_ms: life }) => life !== undefined && life <= 2000),
    [true, true],
  )
  const dead = { CLOUDSIGMA_CLIENT_ID: 'dead_on_arrival_service', CLOUDSIGMA_CLIENT_SECRET: 'da-secret' }
  const expired = await whoami(placeOf(), { dir: dir.path, env: dead })
  assert.deepEqual([expired.answer.ok, expired.answer.failure?.reason], [false, 'expired_on_arrival'])
})
