import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ImpersonationError } from '@ascribe/impersonation'
import { IMPERSONATORS, OWNER_BINDINGS } from '@ascribe/kinds'
import { NAMESPACES, SECRETS } from '@ascribe/kube'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube } from '@ascribe/sandbox/kube'
import { Secret } from '@ascribe/service'
import { AuthorityError } from '../src/authority/errors.ts'
import type { AccountPin } from '../src/authority/pin.ts'
import type { CloudRequest } from '../src/authority/types.ts'
import { OTHER, USER, openOwnersWorld } from './support/owners-world.ts'
import type { OwnersWorld } from './support/owners-world.ts'
import { until } from './support/until.ts'

// The authority with a real API server's wire, and a cloud that knows nothing of it. Each test has a namespace of its own.

let kube: SandboxKube
let world: OwnersWorld
before(async () => {
  world = await openOwnersWorld({
    startKube: async () => (kube = await startSandboxKube()),
    authority: (cloud) => {
      const platform = cloud.users.find(({ isPlatform }) => isPlatform)
      assert.ok(platform)
      return { platform: { username: platform.email, password: new Secret(platform.password) } }
    },
  })
  await world.secret()
  await world.impersonator()
  await world.informers.synced()
  await until(() => world.authority.snapshot.facts().impersonators.length === 1)
})
after(() => world[Symbol.asyncDispose]())

/** A user of its own for each namespace: tokens are limited for each owner. */
function addUser(name: string): string {
  const email = `${name}@example.com`
  if (world.cloud.users.every((each) => each.email !== email)) world.cloud.addUser({ email })
  return email
}

/** A namespace with its binding, as the caches know it. */
async function bound(
  namespace: string,
  over: Parameters<OwnersWorld['binding']>[1] extends infer Of ? Partial<Of> : never = {},
): Promise<AccountPin> {
  await world.namespace(namespace)
  const email = over.email ?? addUser(namespace)
  const made = await world.binding(`${namespace}-owner`, { email, namespace, ...over })
  await until(() => world.authority.snapshot.bindings.get({ name: made.metadata.name }))
  await until(() => world.authority.snapshot.namespaces.get({ name: namespace }))
  return { kind: 'Owner', userUUID: world.userOf(email), region: 'zrh', binding: made.metadata.name }
}

function request(pin: AccountPin, namespace: string, over: Partial<CloudRequest> = {}): CloudRequest {
  return { pin, namespace, purpose: 'operate', actor: { object: 'CloudSigmaMachine/m', namespace, uid: 'machine-uid' }, ...over }
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return world.authority.explain(error)?.reason ?? String(error)
}

test('cloudFor() acts as the bound owner, with the object in the audit of the token', async () => {
  const pin = await bound('acts')
  const cloud = await world.authority.cloudFor(
    request(pin, 'acts', { actor: { object: 'CloudSigmaMachine/m1', namespace: 'acts', uid: 'u1', requester: 'jane' } }),
  )
  assert.equal((await cloud.account.profile()).uuid, pin.userUUID)
  const record = world.mints.findLast(({ actor }) => actor['uid'] === 'u1')
  assert.deepEqual(record?.actor, { object: 'CloudSigmaMachine/m1', namespace: 'acts', uid: 'u1', requester: 'jane' })
  assert.equal(record?.outcome, 'minted')
  const binding = world.authority.snapshot.bindings.get({ name: 'acts-owner' })
  assert.equal(record?.bindingGeneration, `${binding?.metadata.uid}/${binding?.metadata.generation}`)
})

test('5.4, H-7: cloudFor() refuses a revoked binding at once and sends nothing, whatever token is cached', async () => {
  const pin = await bound('revoked')
  const cloud = await world.authority.cloudFor(request(pin, 'revoked'))
  await cloud.account.profile()
  await world.kube.delete(OWNER_BINDINGS, { name: 'revoked-owner' })
  await until(() => world.authority.snapshot.bindings.get({ name: 'revoked-owner' })?.metadata.deletionTimestamp)
  world.cloud.forgetCalls()
  // A client that was made before, and a new one.
  assert.equal(await reasonOf(cloud.account.profile()), 'OwnerNotAuthorized')
  assert.equal(await reasonOf(world.authority.cloudFor(request(pin, 'revoked'))), 'OwnerNotAuthorized')
  assert.deepEqual(world.cloud.calls(), [])
  // 5.7: taking away what was made is still done as the owner.
  const cleaning = await world.authority.cloudFor(request(pin, 'revoked', { purpose: 'cleanup' }))
  assert.equal((await cleaning.account.profile()).uuid, pin.userUUID)
})

test('5.7: cloudFor() does not clean up for a binding that forbids it', async () => {
  const pin = await bound('forbidding', { spec: { allowCleanupAfterRevoke: false } })
  await world.kube.delete(OWNER_BINDINGS, { name: 'forbidding-owner' })
  await until(() => world.authority.snapshot.bindings.get({ name: 'forbidding-owner' })?.metadata.deletionTimestamp)
  world.cloud.forgetCalls()
  assert.equal(await reasonOf(world.authority.cloudFor(request(pin, 'forbidding', { purpose: 'cleanup' }))), 'OwnerNotAuthorized')
  assert.deepEqual(world.cloud.calls(), [])
})

test('select() reads a userRef by get of one name in its own namespace, and waits while it cannot', async () => {
  const pin = await bound('refs')
  const cluster = { metadata: { name: 'c', namespace: 'refs' }, spec: { region: 'zrh', userRef: { name: 'owner' } } }
  const before = await world.authority.select({ namespace: 'refs', cluster })
  assert.equal(before.outcome === 'waiting' && before.reason, 'WaitingForUserRef')
  await world.secret({ userEmail: 'REFS@example.com' }, { namespace: 'refs', name: 'second' })
  kube.clearLog()
  const second = { ...cluster, spec: { region: 'zrh', userRef: { name: 'second' } } }
  const selected = await world.authority.select({ namespace: 'refs', cluster: second })
  assert.ok(selected.outcome === 'selected')
  assert.deepEqual(selected.pin, pin)
  const secrets = kube.log.filter(({ plural }) => plural === 'secrets')
  assert.deepEqual(
    secrets.map(({ verb, namespace, name }) => [verb, namespace, name]),
    [['get', 'refs', 'second']],
  )
})

test('H-19: nothing ever lists or watches Secrets', () => {
  assert.deepEqual(
    kube.log.filter(({ plural, verb }) => plural === 'secrets' && (verb === 'list' || verb === 'watch')),
    [],
  )
})

test('R-1, H-3: select() and cloudFor() call no host outside the table', async () => {
  const pin = await bound('hosts')
  world.cloud.forgetCalls()
  for (const region of ['lon', 'x@127.0.0.1', '../']) {
    const cluster = { metadata: { name: 'c', namespace: 'hosts' }, spec: { region, userEmail: 'hosts@example.com' } }
    const selected = await world.authority.select({ namespace: 'hosts', cluster })
    assert.equal(selected.outcome === 'refused' && selected.reason, 'RegionNotAllowed')
    assert.equal(await reasonOf(world.authority.cloudFor(request({ ...pin, region }, 'hosts'))), 'RegionNotAllowed')
  }
  assert.deepEqual(world.cloud.calls(), [])
})

test('the region table is the Impersonator’s as it is now: a region that is taken out is refused at the next request', async () => {
  const pin = await bound('table')
  const cloud = await world.authority.cloudFor(request({ ...pin, region: 'sjc' }, 'table'))
  await cloud.account.profile()
  const host = world.cloud.apiUrl.replace('{region}', 'zrh')
  await world.impersonator({ regions: [{ name: 'zrh', apiHost: host, impersonateHost: host }] })
  await until(() => world.authority.snapshot.facts().impersonator('prod')?.place('sjc').ok === false)
  world.cloud.forgetCalls()
  assert.equal(await reasonOf(cloud.account.profile()), 'RegionNotAllowed')
  assert.deepEqual(world.cloud.calls(), [])
  await world.impersonator()
  await until(() => world.authority.snapshot.facts().impersonator('prod')?.place('sjc').ok)
  assert.equal((await cloud.account.profile()).uuid, pin.userUUID)
})

test('several regions: each has a token of its own, minted where it is used, and a pace of its own (question 1, ADR 0086)', async () => {
  const pin = await bound('regions')
  world.cloud.forgetCalls()
  for (const region of ['zrh', 'sjc']) {
    const cloud = await world.authority.cloudFor(request({ ...pin, region }, 'regions'))
    assert.equal((await cloud.account.profile()).uuid, pin.userUUID)
  }
  const calls = world.cloud.calls()
  const minted = calls.filter(({ step }) => step === 'impersonate').map(({ region }) => region)
  assert.deepEqual(minted, ['zrh', 'sjc'])
  assert.ok(
    calls.filter(({ step }) => step === 'api').every(({ host, region, kind }) => kind === 'direct' && host.startsWith(`direct.${region}.`)),
  )
})

test('CAPO #1613: a rotated client secret is taken without a restart, after the server has refused the old one', async () => {
  const pin = await bound('rotates')
  const cloud = await world.authority.cloudFor(request(pin, 'rotates'))
  await cloud.account.profile()
  const before = kube.log.filter(({ plural }) => plural === 'secrets').length
  world.cloud.changeClient('kubernetes_cluster_service', { secret: 'rotated' })
  await world.secret({ 'client-id': 'kubernetes_cluster_service', 'client-secret': 'rotated' })
  // Every token of before is worth nothing now, so that the secret is needed.
  await world.cloud.rotateKeys({ keep: 'newest' })
  world.cloud.revokeTokens()
  assert.equal((await until(() => cloud.account.profile().catch(() => undefined))).uuid, pin.userUUID)
  assert.ok(kube.log.filter(({ plural, verb }) => plural === 'secrets' && verb === 'get').length > before)
  world.cloud.changeClient('kubernetes_cluster_service', { secret: 'kcs-secret' })
  await world.secret()
  assert.equal((await until(() => cloud.account.profile().catch(() => undefined))).uuid, pin.userUUID)
})

test('explain() tells who has to act: the operator, the owner, or nobody but time', async () => {
  const pin = await bound('reasons')
  const verify = async (of: AccountPin = pin, namespace = 'reasons'): Promise<string> =>
    reasonOf(world.authority.verify(request(of, namespace)))
  world.cloud.changeUser('reasons@example.com', { state: 'SUSPENDED' })
  assert.equal(await verify(), 'OwnerSuspended')
  const stranger = await bound('reasons-2')
  world.cloud.changeUser('reasons-2@example.com', { removed: true })
  assert.equal(await verify(stranger, 'reasons-2'), 'OwnerNotFound')
  const victim = addUser('reasons-3')
  const mistaken = await bound('reasons-3', { spec: { subject: { userUUID: world.userOf(victim), emailAtBinding: OTHER } } })
  // R-2, H-6: the address belongs to somebody else by now.
  assert.equal(await verify(mistaken, 'reasons-3'), 'OwnerMismatch')
  const lonely = await bound('reasons-4', { spec: { impersonatorRef: { name: 'none' } } })
  assert.equal(await verify(lonely, 'reasons-4'), 'ImpersonationForbidden')
})

test('an Impersonator whose Secret is missing, or whose issuer is down, is said to be so', async () => {
  await world.impersonator({ clientSecretRef: { name: 'absent', namespace: 'ascribe-system' } }, 'absent')
  const pin = await bound('absent', { spec: { impersonatorRef: { name: 'absent' } } })
  await until(() => world.authority.snapshot.facts().impersonator('absent'))
  assert.equal(await reasonOf(world.authority.verify(request(pin, 'absent'))), 'ServiceAccountRejected')
  await world.impersonator({ issuer: 'http://127.0.0.1:1/realms/cloudsigma' }, 'down')
  const down = await bound('down', { spec: { impersonatorRef: { name: 'down' } } })
  await until(() => world.authority.snapshot.facts().impersonator('down'))
  const error = await world.authority.verify(request(down, 'down')).catch((thrown: unknown) => thrown)
  const explained = world.authority.explain(error)
  assert.deepEqual([explained?.reason, explained?.status], ['OAuthUnavailable', 'Unknown'])
  for (const name of ['absent', 'down']) await world.kube.delete(IMPERSONATORS, { name })
})

test('no record, no token: what cannot be written down is not done', async () => {
  const pin = await bound('unrecorded')
  world.refuseAudit(true)
  const error = await world.authority.verify(request(pin, 'unrecorded')).catch((thrown: unknown) => thrown)
  world.refuseAudit(false)
  assert.ok(error instanceof ImpersonationError)
  assert.equal(world.authority.explain(error)?.reason, 'WaitingForAudit')
})

test('admit() counts machines, MHz, MiB and drives of the owner in the namespace, also those let in a moment ago (H-13)', async () => {
  const pin = await bound('limits', { spec: { limits: { maxServers: 2, maxCPU: 5000, maxMemory: 8192, maxDrives: 3 } } })
  const demand = (name: string, over: object = {}) => ({
    namespace: 'limits',
    name,
    uid: name,
    cpuMhz: 1000,
    memoryMib: 1024,
    drives: 1,
    ...over,
  })
  assert.equal(world.authority.admit(pin, demand('a')), undefined)
  assert.equal(world.authority.admit(pin, demand('a')), undefined, 'asking again takes nothing')
  for (const over of [{ cpuMhz: 4001 }, { memoryMib: 7169 }, { drives: 3 }]) {
    const refused = world.authority.admit(pin, demand('b', over))
    assert.ok(refused instanceof AuthorityError && refused.reason === 'QuotaExceeded', JSON.stringify(over))
  }
  assert.equal(world.authority.admit(pin, demand('b')), undefined)
  assert.equal(world.authority.admit(pin, demand('c'))?.reason, 'QuotaExceeded')
  assert.deepEqual(world.authority.limits(pin, 'limits').servers, { limit: 2, used: 2 })
  // Another owner, and another namespace, have limits of their own.
  assert.equal(world.authority.admit({ ...pin, userUUID: world.userOf(OTHER) }, demand('d')), undefined)
})

test('admit() counts machines that a process before this one has made', async () => {
  const pin = await bound('restarted', { spec: { limits: { maxServers: 1 } } })
  const annotations = { 'ascribe.dev/account': JSON.stringify({ ...pin }), 'ascribe.dev/server': '5e5e5e5e-0000-4000-8000-000000000000' }
  const made = await world.machine('old', { namespace: 'restarted', annotations })
  await until(() => world.authority.limits(pin, 'restarted').servers.used === 1)
  const demand = { namespace: 'restarted', name: 'new', uid: 'new', cpuMhz: 1, memoryMib: 1, drives: 1 }
  assert.equal(world.authority.admit(pin, demand)?.reason, 'QuotaExceeded')
  assert.equal(world.authority.admit(pin, { ...demand, name: 'old', uid: made.metadata.uid ?? '' }), undefined)
})

test('H-5: the platform’s account is used where an administrator chose it, with its own credentials, and asserted too', async () => {
  await world.namespace('platform')
  const cluster = {
    metadata: { name: 'c', namespace: 'platform', annotations: { 'ascribe.dev/fallback': 'PlatformAccount' } },
    spec: { region: 'zrh', userEmail: USER },
  }
  const selected = await world.authority.select({ namespace: 'platform', cluster })
  assert.ok(selected.outcome === 'selected')
  const platform = world.userOf('platform@example.com')
  assert.deepEqual(selected.pin, { kind: 'PlatformAccount', userUUID: platform, region: 'zrh', impersonator: 'prod' })
  const cloud = await world.authority.cloudFor(request(selected.pin, 'platform'))
  assert.equal((await cloud.account.profile()).uuid, platform)
  world.cloud.forgetCalls()
  const wrong = await world.authority.cloudFor(request({ ...selected.pin, userUUID: world.userOf(OTHER) }, 'platform'))
  assert.equal(await reasonOf(wrong.account.profile()), 'OwnerMismatch')
  assert.deepEqual(world.cloud.calls(), [])
})

test('H-13: the platform’s account has limits too, of each namespace, by the Impersonator; a tenant cannot spend it without end', async () => {
  const limits = { maxServers: 1, maxCPU: 5000 }
  await world.impersonator({ fallback: { mode: 'Forbid', limits } })
  await until(() => world.authority.snapshot.facts().impersonator('prod')?.fallbackLimits?.maxServers === 1)
  const pin = { kind: 'PlatformAccount', userUUID: world.userOf('platform@example.com'), region: 'zrh', impersonator: 'prod' } as const
  const demand = (name: string, namespace: string, cpuMhz = 1000): Parameters<typeof world.authority.admit>[1] => ({
    namespace,
    name,
    uid: `${namespace}-${name}`,
    cpuMhz,
    memoryMib: 1024,
    drives: 1,
  })
  const refused = world.authority.admit(pin, demand('big', 'spender', 5001))
  assert.match(refused?.message ?? '', /CloudSigmaImpersonator prod allows 5000 MHz \(spec\.fallback\.limits\.maxCPU\)/)
  assert.equal(world.authority.admit(pin, demand('a', 'spender')), undefined)
  assert.equal(world.authority.admit(pin, demand('b', 'spender'))?.reason, 'QuotaExceeded')
  assert.equal(world.authority.admit(pin, demand('a', 'another')), undefined, 'each namespace has its own')
  // Of the same user as an owner nothing is counted here, and the other way round.
  assert.deepEqual(world.authority.limits({ ...pin, kind: 'Owner' }, 'spender').servers.used, 0)
  await world.kube.patch(IMPERSONATORS, { name: 'prod' }, { patch: { type: 'merge', body: { spec: { fallback: null } } } })
  await until(() => world.authority.snapshot.facts().impersonator('prod')?.fallbackLimits === undefined)
})

test('H-8: select() holds a cluster’s machines to the account that the cluster is pinned to', async () => {
  const pin = await bound('held')
  await world.binding('held-other', { email: OTHER, namespace: 'held' })
  await until(() => world.authority.snapshot.bindings.get({ name: 'held-other' }))
  const pinned = {
    metadata: { name: 'c', namespace: 'held', annotations: { 'ascribe.dev/account': JSON.stringify(pin) } },
    spec: { region: 'zrh', userEmail: OTHER },
  }
  const moved = await world.authority.select({ namespace: 'held', cluster: pinned })
  assert.equal(moved.outcome === 'refused' && moved.reason, 'OwnerMismatch')
  const own = await world.authority.select({ namespace: 'held', cluster: pinned, machine: { metadata: {}, spec: { userEmail: OTHER } } })
  assert.equal(own.outcome === 'selected' && own.pin.userUUID, world.userOf(OTHER))
})

test('a namespace that was deleted and made again is not the bound one', async () => {
  const pin = await bound('again')
  await world.kube.delete(NAMESPACES, { name: 'again' })
  kube.remove('namespaces', 'again')
  await until(() => world.authority.snapshot.namespaces.get({ name: 'again' }) === undefined)
  await world.namespace('again')
  await until(() => world.authority.snapshot.namespaces.get({ name: 'again' }))
  assert.equal(await reasonOf(world.authority.cloudFor(request(pin, 'again'))), 'OwnerNotAuthorized')
})

test('H-15: no secret and no token is in what the API server was sent', () => {
  const texts = kube.log.map(({ body }) => body).filter((body) => !body.includes('"data"'))
  assert.ok(texts.every((body) => !/kcs-secret|Bearer|eyJ/.test(body)))
  assert.ok(kube.log.some(({ plural }) => plural === SECRETS.plural))
})
