import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { constantSecret, createIssuer, createRegionTable, createTokenSource } from '@ascribe/impersonation'
import type { TokenSource } from '@ascribe/impersonation'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'
import { createBasicAuthenticator } from '../src/authenticator.ts'
import { createCloudSigma } from '../src/client.ts'
import type { CloudSigma } from '../src/client.ts'
import { CloudSigmaError, OwnerMismatchError } from '../src/errors.ts'
import type { FaultKind } from '../src/fault.ts'
import { assertOwner } from '../src/made.ts'
import { serverSpecOf } from '../src/server-spec.ts'

// The whole way: a token source of `impersonation` makes the authenticator, and a cloud that knows nothing of either answers.

const SPEC = { name: 'kdc-a-md0-x1', cpuMhz: 2000, smp: 2, memBytes: 2 ** 30, vncPassword: 'random24random24random24' }

let cloud: SandboxCloud
let source: TokenSource
before(async () => {
  cloud = await startSandboxCloud({ seed: 7, clock: 'frozen', knobs: { listLagMs: 0, impTtlS: 300, unknownFields: true } })
  source = createTokenSource({
    issuer: createIssuer({ oauthUrl: cloud.oauthUrl }),
    clientId: 'kubernetes_cluster_service',
    secret: constantSecret('kcs-secret'),
    regions: createRegionTable({ template: cloud.apiUrl }),
    audit: async () => {},
    limits: { sweepMs: 0 },
  })
})
after(async () => {
  source[Symbol.dispose]()
  await cloud[Symbol.asyncDispose]()
})

function userOf(email: string): SandboxCloud['users'][number] {
  const user = cloud.users.find((each) => each.email === email)
  assert.ok(user)
  return user
}

/** A client that acts as an owner, by impersonation, at the host that the table of regions has. */
function clientOf(email: string, api = cloud.apiUrl): CloudSigma {
  const owner = { ownerUuid: userOf(email).uuid, ownerEmail: email, region: 'zrh', bindingGeneration: 1 }
  const authenticator = source.authenticator(owner)
  return createCloudSigma({ endpoint: createRegionTable({ template: api }).endpoint('zrh'), authenticator, wait: async () => {} })
}

async function kindOf(call: Promise<unknown>): Promise<FaultKind> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof CloudSigmaError, String(error))
  return error.fault.kind
}

test('sandbox: a server lives from create to 404, in the owner’s account, and its states are told from permissions', async () => {
  await using mine = clientOf('user@example.com')
  const { uuid: owner } = userOf('user@example.com')
  assert.equal((await mine.account.profile()).uuid, owner)
  const drive = assertOwner(await mine.drives.create({ name: 'root', sizeBytes: 2 ** 30 }), owner).object
  cloud.clock.advance(60_000)
  const made = assertOwner(
    await mine.servers.create({ ...SPEC, drives: [{ drive: drive.uuid, bootOrder: 1 }], nics: [{ ipV4: { conf: 'dhcp' } }] }),
    owner,
  )
  const { uuid } = made.object
  assert.throws(() => assertOwner(made, userOf('other@example.com').uuid), OwnerMismatchError)
  assert.equal((await mine.servers.get(uuid)).drives[0]?.drive, drive.uuid)
  await mine.servers.act(uuid, 'start')
  cloud.clock.advance(60_000)
  assert.equal((await mine.servers.get(uuid)).status, 'running')
  // a wrong state is a 403, and no permission that is lacking.
  assert.equal(await kindOf(mine.servers.act(uuid, 'start')), 'state')
  assert.equal(await kindOf(mine.servers.delete(uuid)), 'state')
  await mine.servers.act(uuid, 'stop')
  cloud.clock.advance(60_000)
  await mine.servers.delete(uuid, { recurse: 'all_drives' })
  cloud.clock.advance(60_000)
  assert.equal(await kindOf(mine.servers.get(uuid)), 'notFound')
  assert.equal(await kindOf(mine.drives.get(drive.uuid)), 'notFound')
})

test('R-4, R-5: sandbox: somebody else’s server is an ACL refusal, never "gone"', async () => {
  await using mine = clientOf('user@example.com')
  await using theirs = clientOf('other@example.com')
  const { object } = await theirs.servers.create(SPEC)
  assert.equal(await kindOf(mine.servers.get(object.uuid)), 'acl')
  assert.equal(await kindOf(mine.servers.get('00000000-0000-4000-8000-000000000404')), 'notFound')
})

test('R-1: sandbox: a token of the right host is not sent to the wrong one', async () => {
  const wrong = cloud.apiUrl.replace('direct.', '')
  await using lost = clientOf('user@example.com', wrong)
  cloud.forgetCalls()
  await assert.rejects(lost.account.profile(), (error: unknown) => error instanceof Error && !(error instanceof CloudSigmaError))
  assert.deepEqual(
    cloud.calls().filter(({ kind }) => kind === 'other'),
    [],
  )
})

test('R-8: sandbox: a token that was revoked is replaced once, by itself', async () => {
  await using mine = clientOf('user@example.com')
  await mine.account.profile()
  cloud.revokeTokens()
  assert.equal((await mine.account.profile()).email, 'user@example.com')
})

test('R-13: sandbox: 45 servers are listed whole, whatever page the API likes', async () => {
  await using mine = clientOf('user@example.com')
  const made = await Promise.all(Array.from({ length: 45 }, (_, index) => mine.servers.create({ ...SPEC, name: `s-${index}` })))
  const wanted = new Set(made.map(({ object }) => object.uuid))
  for (const limitMax of [0, 20, 7]) {
    cloud.setKnobs({ limitMax })
    const found = new Set((await mine.servers.list()).map(({ uuid }) => uuid))
    assert.ok(wanted.isSubsetOf(found), `${found.size} with a clamp of ${limitMax}`)
    assert.equal((await mine.servers.summaries()).length, found.size)
  }
  cloud.setKnobs({ limitMax: 0 })
})

test('3.1: sandbox: floats, nulls, unknown fields, errors as objects or pages, and ids with 404 in them change nothing', async () => {
  cloud.setKnobs({ floatNumbers: true, nullFields: true, unknownFields: true, uuidContains: '404' })
  await using mine = clientOf('user@example.com')
  const { object } = await mine.servers.create(SPEC)
  assert.deepEqual([object.memBytes, object.tags, object.permissions], [2 ** 30, [], []])
  for (const [errorShape, kind] of [
    ['array', 'state'],
    ['object', 'state'],
    ['html', 'forbidden'],
  ] as const) {
    cloud.setKnobs({ errorShape })
    assert.equal(await kindOf(mine.servers.act(object.uuid, 'stop')), kind)
  }
  cloud.setKnobs({ errorShape: 'array', nullFields: false, uuidContains: '' })
})

test('R-35: sandbox: no money, no room and somebody else’s change are told apart at a start', async () => {
  await using mine = clientOf('user@example.com')
  const { object } = await mine.servers.create(SPEC)
  for (const [startOutcome, kind] of [
    ['payment', 'payment'],
    ['capacity', 'capacity'],
    ['concurrency-once', 'concurrency'],
  ] as const) {
    cloud.setKnobs({ startOutcome })
    assert.equal(await kindOf(mine.servers.act(object.uuid, 'start')), kind)
  }
  cloud.setKnobs({ startOutcome: 'runs' })
})

test('R-12: sandbox: a create whose answer is lost has happened, and the fault says that it may have', async () => {
  await using mine = clientOf('user@example.com')
  cloud.addFault({ match: { step: 'api', method: 'POST', times: 1 }, does: { drop: 'after' } })
  const error = await mine.servers.create({ ...SPEC, name: 'lost-and-found' }).catch((thrown: unknown) => thrown)
  assert.ok(error instanceof CloudSigmaError)
  assert.deepEqual([error.fault.kind, error.fault.effect], ['network', 'unknown'])
  assert.equal((await mine.servers.list({ name: 'lost-and-found' })).length, 1)
})

test('3.7: sandbox: a library drive is cloned into the owner’s account, with a job to follow', async () => {
  await using mine = clientOf('user@example.com')
  const [image] = await mine.libdrives.list()
  assert.ok(image !== undefined && image.owner === undefined)
  const made = assertOwner(await mine.libdrives.clone(image.uuid, { name: 'root' }), userOf('user@example.com').uuid)
  assert.equal(made.object.status, 'cloning_dst')
  const [job] = made.object.jobs
  assert.ok(job)
  assert.equal((await mine.jobs.get(job)).state, 'started')
  cloud.clock.advance(60_000)
  assert.equal((await mine.drives.get(made.object.uuid)).status, 'unmounted')
})

test('3.8, 3.9: sandbox: networks, tags, balance, usage, limits and the audit log are read as they are written', async () => {
  await using mine = clientOf('user@example.com')
  const { uuid: owner } = userOf('user@example.com')
  const [vlan] = await mine.vlans.list()
  assert.equal(vlan?.owner?.uuid, owner)
  const [ip] = await mine.ips.list()
  assert.equal((await mine.ips.get(ip?.uuid ?? '')).owner?.uuid, owner)
  const { object: server } = await mine.servers.create(SPEC)
  const { object: tag } = await mine.tags.create({ name: 'set', resources: [server.uuid] })
  assert.deepEqual((await mine.servers.get(server.uuid)).tags, [tag.uuid])
  // the last one can be taken away.
  await mine.tags.update(tag.uuid, { name: 'set', resources: [] })
  assert.deepEqual((await mine.servers.get(server.uuid)).tags, [])
  assert.match((await mine.account.balance()).balance, /^\d+(\.\d+)?$/)
  assert.ok((await mine.account.subscriptions()).length > 0)
  assert.ok((await mine.account.capabilities()).cpuMhz.max !== undefined)
  assert.ok((await mine.account.locations()).length > 0)
  assert.ok(Object.keys((await mine.account.currentUsage()).usage).length > 0)
  assert.ok((await mine.account.logs()).some(({ action }) => action === 'create'))
})

test('3.2: sandbox: Basic acts as its own account, in the legacy mode', async () => {
  const { email, password, uuid } = userOf('platform@example.com')
  await using legacy = createCloudSigma({
    endpoint: createRegionTable({ template: cloud.apiUrl }).endpoint('zrh'),
    authenticator: createBasicAuthenticator({ username: email, password }),
  })
  assert.equal((await legacy.account.profile()).uuid, uuid)
})

test('3.4: sandbox: what was made may be missing from lists for 20 s, and is there at once by its id', async () => {
  await using mine = clientOf('user@example.com')
  cloud.setKnobs({ listLagMs: 20_000 })
  const { object } = await mine.servers.create({ ...SPEC, name: 'late' })
  assert.deepEqual(await mine.servers.list({ name: 'late' }), [])
  assert.equal((await mine.servers.get(object.uuid)).name, 'late')
  cloud.clock.advance(20_000)
  assert.equal((await mine.servers.list({ name: 'late' })).length, 1)
  cloud.setKnobs({ listLagMs: 0 })
})

test('R-37: sandbox: bootstrap data is taken out of a running server; what else is sent then is silently ignored (3.5)', async () => {
  await using mine = clientOf('user@example.com')
  const nics = [{ ipV4: { conf: 'dhcp' } as const }]
  const meta = { 'cloudinit-user-data': 'am9pbg==', base64_fields: 'cloudinit-user-data', mark: 'm' }
  const { object } = await mine.servers.create({ ...SPEC, nics, meta })
  await mine.servers.act(object.uuid, 'start')
  cloud.clock.advance(60_000)
  const running = await mine.servers.get(object.uuid)
  assert.equal(running.nics[0]?.running?.interfaceType, 'public')
  await mine.servers.update(object.uuid, { ...serverSpecOf(running), cpuMhz: 4000, meta: { mark: 'm' } })
  const after = await mine.servers.get(object.uuid)
  assert.deepEqual(after.meta.reveal(), { mark: 'm' })
  assert.deepEqual([after.cpuMhz, after.nics[0]?.mac], [2000, running.nics[0]?.mac])
})
