import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createBasicAuthenticator, createCloudSigma, serverSpecOf } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import { ANNOTATIONS, CLUSTERS, MACHINES, SERVER_META } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import { silentLogger, silentMeters } from '@ascribe/kit'
import type { Informer } from '@ascribe/kube'
import { createFakeClocks } from '@ascribe/kube/testing'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube } from '@ascribe/sandbox/kube'
import { ActNotRecordedError } from '../src/accounts/errors.ts'
import type { Act, Acts } from '../src/accounts/types.ts'
import { formatPin } from '../src/authority/pin.ts'
import { createBroker } from '../src/broker/broker.ts'
import type { Broker } from '../src/broker/broker.ts'
import { startBroker } from '../src/broker/start-broker.ts'
import type { BrokerReply } from '../src/broker/types.ts'
import { openOwnersWorld } from './support/owners-world.ts'
import type { OwnersWorld } from './support/owners-world.ts'
import { until } from './support/until.ts'

// R-9, H-2, H-11: programs of a cluster reach the cloud through the broker, and nothing but what is their cluster's.

const GIB = 1024 ** 3
const OWNER = 'broker@example.com'

let kube: SandboxKube
let world: OwnersWorld
let eyes: CloudSigma
let clusters: Informer<CloudSigmaCluster>
let machines: Informer<CloudSigmaMachine>
/** Server uuids by cluster. */
const servers: Record<string, string> = {}

before(async () => {
  world = await openOwnersWorld({ startKube: async () => (kube = await startSandboxKube()) })
  await world.secret()
  await world.impersonator()
  world.cloud.addUser({ email: OWNER })
  world.cloud.changeUser(OWNER, { paid: 1_000_000 })
  const user = world.cloud.users.find(({ email }) => email === OWNER)
  const api = new URL(world.cloud.regions['zrh']?.api ?? '')
  eyes = createCloudSigma({
    endpoint: { region: 'zrh', apiUrl: api, origin: api.origin },
    authenticator: createBasicAuthenticator({ username: OWNER, password: user?.password ?? '' }),
  })
  await world.namespace('team')
  await world.namespace('other')
  await world.binding('team-owner', { email: OWNER, namespace: 'team', spec: { limits: { maxDrives: 6 } } })
  for (const [name, grants] of [
    ['blue', { 'ccm-blue': 'cloud-controller', 'csi-blue': 'storage' }],
    ['green', { 'csi-green': 'storage' }],
  ] as const)
    await addCluster(name, grants)
  clusters = world.informers.informer(CLUSTERS)
  machines = world.informers.informer(MACHINES)
  await world.informers.synced()
  await until(() => world.authority.snapshot.facts().impersonators.length === 1)
  await until(() => world.authority.snapshot.bindings.get({ name: 'team-owner' }))
})
after(async () => {
  await eyes[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

const pin = (): string => formatPin({ kind: 'Owner', userUUID: world.userOf(OWNER), region: 'zrh', binding: 'team-owner' })

/** A cluster with one machine and its server. */
async function addCluster(name: string, grants: Readonly<Record<string, string>>): Promise<void> {
  await world.cluster(
    name,
    { userEmail: OWNER },
    { namespace: 'team', annotations: { [ANNOTATIONS.account]: pin(), [ANNOTATIONS.broker]: JSON.stringify(grants) } },
  )
  const { object: drive } = await eyes.drives.create({ name: `${name}-root`, sizeBytes: 2 * GIB })
  const made = await eyes.servers.create({
    name,
    cpuMhz: 2000,
    memBytes: 2 * GIB,
    vncPassword: 'sesame-vnc',
    drives: [{ drive: drive.uuid }],
    meta: { note: 'a secret of bootstrap' },
  })
  servers[name] = made.object.uuid
  await world.machine(`${name}-m`, {
    cluster: name,
    namespace: 'team',
    annotations: {
      [ANNOTATIONS.account]: pin(),
      [ANNOTATIONS.server]: made.object.uuid,
      [ANNOTATIONS.drives]: JSON.stringify([drive.uuid]),
    },
  })
}

type Stage = {
  readonly broker: Broker
  readonly acts: Act[]
  readonly ask: (method: string, path: string, more?: Asked) => Promise<BrokerReply>
}
type Asked = { readonly cluster?: string; readonly token?: string; readonly body?: object }

/** A broker that began long ago, so that volumes may be made. */
async function stage({ acts: how, isYoung = false }: { readonly acts?: Acts['perform']; readonly isYoung?: boolean } = {}): Promise<Stage> {
  const acts: Act[] = []
  const clocks = createFakeClocks()
  const perform: Acts['perform'] = async (act, call) => {
    acts.push(act)
    return call()
  }
  const broker = createBroker({
    kube: world.kube,
    clusters,
    machines,
    authority: world.authority,
    acts: { perform: how ?? perform, observe: () => {} },
    proofKey: 'a key of the installation',
    clocks,
    logger: silentLogger,
    meters: silentMeters,
  })
  if (!isYoung) await clocks.advance(60_000)
  return {
    broker,
    acts,
    ask: (method, path, { cluster = 'blue', token = tokenOf(`csi-${cluster}`), body } = {}) =>
      broker.answer({
        method,
        url: `/clusters/team/${cluster}/api/2.0/${path}`,
        authorization: `Bearer ${token}`,
        body: body === undefined ? '' : JSON.stringify(body),
      }),
  }
}

const tokens = new Map<string, string>()
function tokenOf(account: string, { namespace = 'team', audience = 'ascribe-broker', isBound = true } = {}): string {
  const id = JSON.stringify([account, namespace, audience, isBound])
  const known = tokens.get(id)
  if (known !== undefined) return known
  const extra = isBound ? { 'authentication.kubernetes.io/pod-name': [`${account}-0`] } : {}
  const token = kube.token({
    name: `system:serviceaccount:${namespace}:${account}`,
    uid: `uid-${account}`,
    groups: ['system:serviceaccounts'],
    audiences: [audience],
    extra,
  })
  tokens.set(id, token)
  return token
}

const objectsOf = ({ body }: BrokerReply): readonly Record<string, unknown>[] => (body as { objects: Record<string, unknown>[] }).objects
const volume = (name: string, size = 2 * GIB): { body: object } => ({
  body: { objects: [{ name, size, media: 'disk', storage_type: 'dssd' }] },
})

test('R-9: only a token of a pod, meant for the broker, of an account that the cluster names, gets an answer', async () => {
  const { ask } = await stage()
  const path = 'servers/detail/'
  for (const token of [
    '',
    'nonsense',
    tokenOf('csi-blue', { audience: 'https://kubernetes.default.svc' }),
    tokenOf('csi-blue', { isBound: false }),
    kube.token({ name: 'admin', groups: ['system:masters'], audiences: ['ascribe-broker'] }),
  ])
    assert.equal((await ask('GET', path, { token })).status, 401)
  // The same account of another namespace, an account that is not named, and one of another cluster learn nothing, not even that it exists.
  for (const token of [tokenOf('csi-blue', { namespace: 'other' }), tokenOf('default'), tokenOf('csi-green')])
    assert.equal((await ask('GET', path, { token })).status, 404)
  assert.equal((await ask('GET', path, { cluster: 'none', token: tokenOf('csi-blue') })).status, 404)
  assert.equal((await ask('GET', path)).status, 200)
})

test('H-11: what is shown is the servers of this cluster, without password, meta and owner', async () => {
  const { ask } = await stage()
  const listed = await ask('GET', 'servers/detail/', { token: tokenOf('ccm-blue') })
  assert.deepEqual(
    objectsOf(listed).map(({ uuid }) => uuid),
    [servers['blue']],
  )
  const one = await ask('GET', `servers/${servers['blue']}/`)
  assert.equal(one.status, 200)
  for (const reply of [listed, one]) {
    const text = JSON.stringify(reply)
    for (const secret of ['sesame-vnc', 'a secret of bootstrap', OWNER]) assert.ok(!text.includes(secret), secret)
  }
  assert.equal((await ask('GET', `servers/${servers['green']}/`)).status, 404)
})

test('R-9: what is not in the table is not there, whatever the method', async () => {
  const { ask, acts } = await stage()
  world.cloud.forgetCalls()
  const blue = servers['blue'] ?? ''
  const asked: [string, string][] = [
    ['POST', `servers/${blue}/action/?do=stop`],
    ['POST', `servers/${blue}/action/?do=open_vnc`],
    ['DELETE', `servers/${blue}/`],
    ['POST', 'servers/'],
    ['GET', 'profile/'],
    ['GET', 'tags/'],
    ['GET', 'keypairs/'],
    ['DELETE', 'drives/'],
    ['PATCH', `servers/${blue}/`],
    ['GET', `servers/${blue}/../../drives/`],
    ['GET', `servers/%2e%2e/drives/`],
    ['POST', `drives/${blue}/action/?do=clone`],
  ]
  for (const [method, path] of asked) assert.equal((await ask(method, path, { body: {} })).status, 404, `${method} ${path}`)
  assert.equal((await ask('GET', 'servers/?tag=x')).status, 400)
  // A cloud controller manager looks; it changes nothing.
  for (const [method, path] of [
    ['GET', 'drives/'],
    ['POST', 'drives/'],
    ['PUT', `servers/${blue}/`],
  ] as const)
    assert.equal((await ask(method, path, { token: tokenOf('ccm-blue'), body: {} })).status, 404)
  assert.deepEqual(acts, [])
  assert.deepEqual(
    world.cloud.calls().filter(({ method }) => method !== 'GET' && method !== 'POST'),
    [],
  )
})

test('a volume is made once for a name, is the owner’s, and another cluster neither sees nor deletes it', async () => {
  const { ask, acts } = await stage()
  const [first, second] = await Promise.all([ask('POST', 'drives/', volume('pvc-1')), ask('POST', 'drives/', volume('pvc-1'))])
  assert.equal(first.status, 201)
  assert.deepEqual(first.body, second.body)
  const [made] = objectsOf(first)
  const uuid = String(made?.['uuid'])
  assert.deepEqual(
    objectsOf(await ask('POST', 'drives/', volume('pvc-1'))).map((each) => each['uuid']),
    [uuid],
  )
  assert.deepEqual(
    acts.map(({ verb, machine, requestedBy }) => [verb, machine.kind, machine.name, requestedBy]),
    [['create_drive', 'CloudSigmaCluster', 'blue', 'serviceaccount:team/csi-blue']],
  )
  assert.equal((await eyes.drives.get(uuid)).owner?.uuid, world.userOf(OWNER))
  assert.deepEqual(
    objectsOf(await ask('GET', 'drives/detail/?name=pvc-1')).map(({ name }) => name),
    ['pvc-1'],
  )
  assert.deepEqual(objectsOf(await ask('GET', 'drives/detail/', { cluster: 'green' })), [])
  for (const method of ['GET', 'DELETE']) assert.equal((await ask(method, `drives/${uuid}/`, { cluster: 'green' })).status, 404)
  await until(async () => (await eyes.drives.get(uuid)).status === 'unmounted')
  assert.equal((await ask('DELETE', `drives/${uuid}/`)).status, 204)
  await until(async () => (await eyes.drives.get(uuid).catch(() => undefined)) === undefined)
  assert.equal((await ask('GET', `drives/${uuid}/`)).status, 404)
})

test('H-11: the disk of a machine is no volume: it is neither deleted nor detached nor resized', async () => {
  const { ask, acts } = await stage()
  const blue = servers['blue'] ?? ''
  const root = (await eyes.servers.get(blue)).drives[0]?.drive ?? ''
  for (const [method, path, body] of [
    ['DELETE', `drives/${root}/`, {}],
    ['GET', `drives/${root}/`, {}],
    ['POST', `drives/${root}/action/?do=resize`, { size: 9 * GIB }],
    ['PUT', `servers/${blue}/`, { drives: [] }],
  ] as const)
    assert.equal((await ask(method, path, { body })).status, 404, `${method} ${path}`)
  assert.deepEqual(acts, [])
})

test('a volume is attached and detached by the server’s PUT, and nothing else of the server changes', async () => {
  const { ask, acts } = await stage()
  const blue = servers['blue'] ?? ''
  const before = await eyes.servers.get(blue)
  const root = before.drives[0]?.drive ?? ''
  const uuid = String(objectsOf(await ask('POST', 'drives/', volume('pvc-2')))[0]?.['uuid'])
  const put = (drives: readonly string[], more: object = {}): Promise<BrokerReply> =>
    ask('PUT', `servers/${blue}/`, { body: { drives: drives.map((drive) => ({ drive: { uuid: drive } })), ...more } })
  const attached = await put([root, uuid], { name: 'renamed', cpu: 9999, meta: { 'cloudinit-user-data': 'x' }, vnc_password: 'mine' })
  assert.equal(attached.status, 200)
  const now = await eyes.servers.get(blue)
  assert.deepEqual(
    now.drives.map(({ drive, devChannel }) => [drive, devChannel]),
    [
      [root, '0:0'],
      [uuid, '0:1'],
    ],
  )
  const { drives: _before, ...same } = serverSpecOf(before)
  const { drives: _now, ...is } = serverSpecOf(now)
  assert.deepEqual([is.name, is.cpuMhz, is.meta], [same.name, same.cpuMhz, same.meta])
  assert.equal(now.vncPassword?.reveal(), 'sesame-vnc')
  assert.equal((await ask('DELETE', `drives/${uuid}/`)).status, 409)
  assert.equal((await put([root, uuid])).status, 200)
  assert.equal((await put([root])).status, 200)
  assert.deepEqual(
    acts.map(({ verb }) => verb),
    ['create_drive', 'attach_drive', 'detach_drive'],
  )
  // A volume of another cluster cannot be attached.
  const foreign = String(objectsOf(await ask('POST', 'drives/', { ...volume('pvc-g'), cluster: 'green' }))[0]?.['uuid'])
  assert.equal((await put([root, foreign])).status, 404)
})

test('R-37: while a machine has its bootstrap data the broker leaves its server alone', async () => {
  const { ask } = await stage()
  const blue = servers['blue'] ?? ''
  const spec = serverSpecOf(await eyes.servers.get(blue))
  await eyes.servers.update(blue, { ...spec, meta: { ...spec.meta, [SERVER_META.userData]: 'join' } })
  const reply = await ask('PUT', `servers/${blue}/`, { body: { drives: [] } })
  assert.deepEqual([reply.status, reply.retryAfterS], [503, 10])
  await eyes.servers.update(blue, spec)
})

test('for the listing grace after a start no volume is made, and one whose making was lost is not made twice', async () => {
  const young = await stage({ isYoung: true })
  const early = await young.ask('POST', 'drives/', volume('pvc-3'))
  assert.deepEqual([early.status, early.retryAfterS], [503, 30])
  assert.deepEqual(young.acts, [])
  const { ask } = await stage()
  world.cloud.addFault({ match: { step: 'api', method: 'POST', path: '/api/2.0/drives/', times: 1 }, does: { drop: 'after' } })
  const lost = await ask('POST', 'drives/', volume('pvc-3'))
  assert.ok(lost.status >= 500, String(lost.status))
  const again = await ask('POST', 'drives/', volume('pvc-3'))
  assert.equal(again.status, 200)
  const all = await eyes.drives.list({}, { whole: true })
  assert.equal(all.filter(({ name }) => name === 'pvc-3').length, 1)
  // While the list lags, nobody knows: later, and not again.
  world.cloud.setKnobs({ listLagMs: 60_000 })
  world.cloud.addFault({ match: { step: 'api', method: 'POST', path: '/api/2.0/drives/', times: 1 }, does: { drop: 'after' } })
  await ask('POST', 'drives/', volume('pvc-4'))
  assert.equal((await ask('POST', 'drives/', volume('pvc-4'))).status, 503)
  world.cloud.setKnobs({ listLagMs: 0 })
  assert.equal((await ask('POST', 'drives/', volume('pvc-4'))).status, 200)
})

test('H-13: the owner’s limit of drives holds for volumes too', async () => {
  const { ask } = await stage()
  const replies = []
  for (let index = 0; index < 8; index += 1) replies.push(await ask('POST', 'drives/', volume(`pvc-l${index}`)))
  const refused = replies.find(({ status }) => status === 403)
  assert.match(JSON.stringify(refused?.body), /QuotaExceeded/)
})

test('no journal, no act: nothing is sent when it cannot be written down', async () => {
  const { ask } = await stage({
    acts: async () => {
      throw new ActNotRecordedError('Cannot write it down')
    },
  })
  world.cloud.forgetCalls()
  const reply = await ask('POST', 'drives/', { ...volume('pvc-9'), cluster: 'green' })
  assert.equal(reply.status, 503)
  assert.deepEqual(
    world.cloud.calls().filter(({ method, path }) => method === 'POST' && path.includes('/drives/')),
    [],
  )
})

test('R-9: a binding that is revoked ends what the broker carries at once, and no token was ever in an answer', async () => {
  const { ask, broker } = await stage()
  await using running = await startBroker(
    broker,
    { listen: { host: '127.0.0.1', port: 0 } },
    { clocks: createFakeClocks(), logger: silentLogger },
  )
  const get = (): Promise<Response> =>
    fetch(`${running.url}/clusters/team/blue/api/2.0/servers/`, { headers: { authorization: `Bearer ${tokenOf('csi-blue')}` } })
  const good = await get()
  assert.equal(good.status, 200)
  const text = `${await good.text()}${JSON.stringify([...good.headers])}`
  assert.doesNotMatch(text, /eyJ|Bearer|access_token/)
  const tooLong = await fetch(`${running.url}/clusters/team/blue/api/2.0/drives/`, {
    method: 'POST',
    body: 'x'.repeat(70_000),
    headers: { authorization: `Bearer ${tokenOf('csi-blue')}` },
  })
  assert.equal(tooLong.status, 413)
  kube.remove('cloudsigmaownerbindings', 'team-owner')
  await until(() => world.authority.snapshot.bindings.get({ name: 'team-owner' }) === undefined)
  world.cloud.forgetCalls()
  const refused = await ask('GET', 'servers/')
  assert.equal(refused.status, 403)
  assert.match(JSON.stringify(refused.body), /OwnerNotAuthorized/)
  assert.deepEqual(world.cloud.calls(), [])
})

test('a program that spins is told to wait, and others are not', async () => {
  const { ask } = await stage()
  const statuses = []
  for (let index = 0; index < 60; index += 1) statuses.push((await ask('GET', 'profile/')).status)
  assert.deepEqual([statuses[49], statuses[50]], [404, 429])
  assert.equal((await ask('GET', 'profile/', { token: tokenOf('ccm-blue') })).status, 404)
})

test('startBroker() speaks plain http on loopback only', async () => {
  const { broker } = await stage()
  const deps = { clocks: createFakeClocks(), logger: silentLogger }
  await assert.rejects(startBroker(broker, { listen: { host: '0.0.0.0', port: 0 } }, deps), /in the clear/)
  const tls = { certFile: '/nowhere/cert', keyFile: '/nowhere/key' }
  await assert.rejects(startBroker(broker, { listen: { host: '0.0.0.0', port: 0 }, tls }, deps), /cannot be read/)
})
