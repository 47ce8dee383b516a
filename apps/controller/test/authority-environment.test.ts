import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constantSecret, createIssuer, createRegionTable } from '@ascribe/impersonation'
import { IMPERSONATORS } from '@ascribe/kinds'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { Secret } from '@ascribe/service'
import type { AccountPin } from '../src/authority/pin.ts'
import type { CloudRequest } from '../src/authority/types.ts'
import { USER, openOwnersWorld } from './support/owners-world.ts'
import { until } from './support/until.ts'

const request = (pin: AccountPin): CloudRequest => ({
  pin,
  namespace: 'a',
  purpose: 'operate',
  actor: { object: 'test', namespace: 'a', uid: 'u' },
})

test('the environment stands in the place of an Impersonator while none was seen, and never again afterwards', async () => {
  await using world = await openOwnersWorld({
    startKube: () => startSandboxKube(),
    authority: (cloud) => ({
      environment: {
        issuer: createIssuer({ oauthUrl: cloud.oauthUrl }),
        clientId: 'kubernetes_cluster_service',
        secret: constantSecret('kcs-secret'),
        regions: createRegionTable({ template: cloud.apiUrl, regions: ['zrh'] }),
      },
    }),
  })
  const { authority, kube } = world
  await world.namespace('a')
  await world.binding('env', { email: USER, namespace: 'a', spec: { impersonatorRef: { name: 'environment' } } })
  await world.informers.synced()
  await until(() => authority.snapshot.bindings.get({ name: 'env' }))
  const cluster = { metadata: { name: 'c', namespace: 'a' }, spec: { region: 'zrh', userEmail: USER } }
  const selected = await until(async () => {
    const found = await authority.select({ namespace: 'a', cluster })
    return found.outcome === 'selected' && found
  })
  assert.equal((await (await authority.cloudFor(request(selected.pin))).account.profile()).uuid, world.userOf(USER))
  const elsewhere = await authority.select({ namespace: 'a', cluster: { ...cluster, spec: { ...cluster.spec, region: 'sjc' } } })
  assert.equal(elsewhere.outcome === 'refused' && elsewhere.reason, 'RegionNotAllowed')

  await world.impersonator()
  await until(() => authority.snapshot.facts().impersonator('prod'))
  assert.throws(() => authority.authorize(selected.pin, { namespace: 'a', purpose: 'operate' }), { reason: 'ImpersonationForbidden' })
  // A missing object opens nothing.
  await kube.delete(IMPERSONATORS, { name: 'prod' })
  await until(() => authority.snapshot.facts().impersonator('prod') === undefined)
  assert.throws(() => authority.authorize(selected.pin, { namespace: 'a', purpose: 'operate' }), { reason: 'ImpersonationForbidden' })
})

test('the legacy mode makes everything in its one account, pinned and asserted, until there is an Impersonator', async () => {
  await using world = await openOwnersWorld({
    startKube: () => startSandboxKube(),
    authority: (cloud) => {
      const platform = cloud.users.find(({ isPlatform }) => isPlatform)
      assert.ok(platform)
      const credentials = { username: platform.email, password: new Secret(platform.password) }
      const regions = createRegionTable({ entries: { zrh: { api: cloud.regions['zrh']?.api ?? '' } } })
      return { legacy: { credentials, regions, isChosen: true }, accountLimits: { maxServers: 1 } }
    },
  })
  const { authority } = world
  await world.namespace('a')
  await world.informers.synced()
  await until(() => authority.snapshot.namespaces.get({ name: 'a' }))
  const cluster = { metadata: { name: 'c', namespace: 'a' }, spec: { region: 'zrh', userEmail: USER } }
  const selected = await authority.select({ namespace: 'a', cluster })
  assert.ok(selected.outcome === 'selected')
  assert.deepEqual(selected.pin, { kind: 'Legacy', userUUID: world.userOf('platform@example.com'), region: 'zrh' })
  assert.equal((await (await authority.cloudFor(request(selected.pin))).account.profile()).uuid, selected.pin.userUUID)
  // H-13: there is no binding that would say it, so that the settings do; machines of a process before this one count.
  await world.machine('old', {
    namespace: 'a',
    annotations: { 'ascribe.dev/account': JSON.stringify(selected.pin), 'ascribe.dev/server': '5e5e5e5e-0000-4000-8000-000000000000' },
  })
  await until(() => authority.limits(selected.pin, 'a').servers.used === 1)
  const more = authority.admit(selected.pin, { namespace: 'a', name: 'new', uid: 'new', cpuMhz: 1, memoryMib: 1, drives: 1 })
  assert.match(more?.message ?? '', /the controller allows 1 machines \(cloud\.limits\.maxServers\)/)

  await world.impersonator()
  await until(() => authority.snapshot.facts().impersonator('prod'))
  const refused = await authority.select({ namespace: 'a', cluster })
  assert.equal(refused.outcome === 'refused' && refused.reason, 'OwnerNotAuthorized')
  // What was made there is still operated there.
  assert.equal(authority.authorize(selected.pin, { namespace: 'a', purpose: 'operate' }).kind, 'Legacy')
})
