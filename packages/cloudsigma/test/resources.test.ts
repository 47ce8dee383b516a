import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudSigmaError, CloudSigmaRequestError } from '../src/errors.ts'
import { DRIVE, OWNER, SERVER, clientOf, pageOf, startScriptedCloud } from './scripted-cloud.ts'
import type { Reply } from './scripted-cloud.ts'

const JOB = '77777777-1111-4222-8333-444444444444'
const TAG = '66666666-1111-4222-8333-444444444444'
const VLAN = '55555555-1111-4222-8333-444444444444'
const owner = { uuid: OWNER, resource_uri: '/' }

const driveJson = (changes: object = {}): object => ({
  uuid: DRIVE,
  name: 'kdc-a-0',
  status: 'cloning_dst',
  size: 42949672960.0,
  media: 'disk',
  storage_type: 'dssd',
  owner,
  jobs: [{ uuid: JOB, resource_uri: `/api/2.0/jobs/${JOB}/` }],
  runtime: { storage_type: 'dssd', is_snapshotable: true, snapshots_allocated_size: 0 },
  mounted_on: [],
  meta: {},
  tags: [],
  permissions: [],
  resource_uri: `/api/2.0/drives/${DRIVE}/`,
  ...changes,
})

test('R-17: clone() of a drive takes 202, and its status is cloning_dst with a job to follow', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 202, body: { objects: [driveJson()] } }))
  await using client = clientOf(cloud)
  const { object, owner: whose } = await client.libdrives.clone(DRIVE, {
    name: 'kdc-a-0',
    sizeBytes: 42_949_672_960,
    storageType: 'dssd',
    avoid: [SERVER],
  })
  assert.deepEqual([object.status, object.jobs, object.sizeBytes, whose?.uuid], ['cloning_dst', [JOB], 42949672960, OWNER])
  assert.deepEqual(cloud.asked[0]?.path, `/api/2.0/libdrives/${DRIVE}/action/`)
  assert.deepEqual(cloud.asked[0]?.query.get('do'), 'clone')
  assert.deepEqual(cloud.asked[0]?.body, {
    name: 'kdc-a-0',
    media: 'disk',
    affinities: [],
    size: 42949672960,
    storage_type: 'dssd',
    avoid: SERVER,
  })
})

test('3.7: clone() refuses to go without a name, which a profile setting would make up', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 202, body: { objects: [driveJson()] } }))
  await using client = clientOf(cloud)
  await assert.rejects(async () => client.drives.clone(DRIVE, { name: '' }), CloudSigmaRequestError)
  assert.equal(cloud.asked.length, 0)
})

test('3.7: library drives have no owner, and are listed whole', async () => {
  const all = Array.from({ length: 25 }, (_, index) =>
    driveJson({ uuid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, owner: null }),
  )
  await using cloud = await startScriptedCloud((asked) => pageOf(all, asked))
  await using client = clientOf(cloud)
  const found = await client.libdrives.list()
  assert.equal(found.length, 25)
  assert.ok(found.every((drive) => drive.owner === undefined))
})

test('R-36: resize() carries name and media, and takes 202', async () => {
  await using cloud = await startScriptedCloud(() => ({
    status: 202,
    body: { objects: [driveJson({ status: 'resizing', size: 1207975936 })] },
  }))
  await using client = clientOf(cloud)
  const drive = await client.drives.resize(DRIVE, { name: 'kdc-a-0', sizeBytes: 1_207_959_631 })
  assert.deepEqual(cloud.asked[0]?.body, { name: 'kdc-a-0', size: 1207959631, media: 'disk' })
  // 3.7: the size is rounded up to a block, and what the cloud says is what counts.
  assert.equal(drive.sizeBytes, 1207975936)
})

test('drives are made, changed and deleted with always a list of tags', async () => {
  await using cloud = await startScriptedCloud(({ method }) =>
    method === 'DELETE'
      ? { status: 204 }
      : { status: method === 'POST' ? 201 : 200, body: { objects: [driveJson({ status: 'unmounted' })] } },
  )
  await using client = clientOf(cloud)
  const spec = { name: 'kdc-a-0', sizeBytes: 2 ** 30 }
  assert.equal((await client.drives.create(spec)).owner?.uuid, OWNER)
  assert.equal((await client.drives.update(DRIVE, spec)).status, 'unmounted')
  await client.drives.delete(DRIVE)
  assert.deepEqual(cloud.asked[1]?.body, { name: 'kdc-a-0', size: 1073741824, media: 'disk', meta: {}, tags: [] })
  await assert.rejects(async () => client.drives.create({ name: 'x', sizeBytes: 0.5 }), CloudSigmaRequestError)
})

test('3.7: a job says how far it is', async () => {
  const job = {
    uuid: JOB,
    state: 'started',
    operation: 'drive_clone',
    data: { progress: 40 },
    children: [],
    resources: [`/api/2.0/drives/${DRIVE}/`],
  }
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: job }))
  await using client = clientOf(cloud)
  assert.deepEqual(await client.jobs.get(JOB), {
    uuid: JOB,
    state: 'started',
    operation: 'drive_clone',
    progress: 40,
    children: [],
    resources: [`/api/2.0/drives/${DRIVE}/`],
  })
})

test('3.8: the uuid of an address is the address; with a subscription it is static', async () => {
  const ip = {
    uuid: '185.12.6.183',
    gateway: '185.12.6.1',
    netmask: 24,
    nameservers: ['69.194.139.62'],
    server: null,
    subscription: { id: 7272 },
    owner,
    meta: {},
    tags: [],
  }
  await using cloud = await startScriptedCloud((asked) =>
    asked.path.endsWith('/detail/') ? pageOf([ip], asked) : { status: 200, body: ip },
  )
  await using client = clientOf(cloud)
  const found = await client.ips.get('185.12.6.183')
  assert.deepEqual([found.subscription, found.netmask, found.gateway], ['7272', 24, '185.12.6.1'])
  assert.equal((await client.ips.list())[0]?.uuid, '185.12.6.183')
  await assert.rejects(client.ips.get('../profile'), CloudSigmaRequestError)
})

test('3.8: of a VLAN only meta and tags can be changed, as a whole', async () => {
  const vlan = { uuid: VLAN, servers: [{ uuid: SERVER }], subscription: { id: 12 }, owner, meta: { a: 'b' }, tags: [] }
  await using cloud = await startScriptedCloud((asked) =>
    asked.path.endsWith('/detail/') ? pageOf([vlan], asked) : { status: 200, body: vlan },
  )
  await using client = clientOf(cloud)
  assert.deepEqual((await client.vlans.list())[0]?.servers, [SERVER])
  await client.vlans.update(VLAN, { meta: { a: 'b' }, tags: [] })
  assert.deepEqual([cloud.asked[1]?.method, cloud.asked[1]?.body], ['PUT', { meta: { a: 'b' }, tags: [] }])
  assert.equal((await client.vlans.get(VLAN)).subscription, '12')
})

test('R-29: tags send resources as objects and read texts and objects; R-30: the list is always sent', async () => {
  const tag = {
    uuid: TAG,
    name: 'set',
    meta: {},
    owner,
    resources: [{ uuid: SERVER, res_type: 'servers', resource_uri: '/', owner }, DRIVE],
  }
  await using cloud = await startScriptedCloud((asked): Reply => {
    if (asked.method === 'DELETE') return { status: 204 }
    if (asked.method === 'POST') return { status: 201, body: { objects: [tag] } }
    return asked.path.endsWith('/tags/') ? pageOf([tag], asked) : { status: 200, body: tag }
  })
  await using client = clientOf(cloud)
  await client.tags.create({ name: 'set', resources: [SERVER, '185.12.6.183'] })
  await client.tags.update(TAG, { name: 'set', resources: [] })
  assert.deepEqual(cloud.asked[0]?.body, { objects: [{ name: 'set', resources: [{ uuid: SERVER }, { uuid: '185.12.6.183' }] }] })
  assert.deepEqual(cloud.asked[1]?.body, { name: 'set', resources: [] })
  assert.deepEqual((await client.tags.list())[0]?.resources, [{ uuid: SERVER, type: 'servers', owner: { uuid: OWNER } }, { uuid: DRIVE }])
  assert.equal((await client.tags.get(TAG)).name, 'set')
  await client.tags.delete(TAG)
})

test('3.9: an ACL says who was granted what, with grantees as texts or objects', async () => {
  const acl = {
    uuid: TAG,
    name: 'read',
    owner,
    rules: [{ permission: 'LIST' }, { permission: 'START' }],
    grantees: ['a@example.com', { email: 'b@example.com', uuid: OWNER }],
    tags: [{ uuid: TAG }],
  }
  await using cloud = await startScriptedCloud((asked) =>
    asked.path.endsWith('/acls/') ? pageOf([acl], asked) : { status: 200, body: acl },
  )
  await using client = clientOf(cloud)
  const [found] = await client.acls.list()
  assert.deepEqual(found?.permissions, ['LIST', 'START'])
  assert.deepEqual(found?.grantees, [{ email: 'a@example.com' }, { uuid: OWNER, email: 'b@example.com' }])
  assert.deepEqual(await client.acls.get(TAG), found)
})

test('3.10: profile() says who the credentials are; without an id it is nobody', async () => {
  await using cloud = await startScriptedCloud(() => ({
    status: 200,
    body: {
      uuid: OWNER,
      email: 'user@example.com',
      state: 'TRIAL',
      currency: 'CHF',
      clone_naming: 'NONE',
      network_restrictions: '',
      api_https_only: true,
    },
  }))
  await using client = clientOf(cloud)
  assert.deepEqual(await client.account.profile(), {
    uuid: OWNER,
    email: 'user@example.com',
    state: 'TRIAL',
    currency: 'CHF',
    cloneNaming: 'NONE',
    apiHttpsOnly: true,
  })
  for (const body of [{}, { uuid: '', email: 'x' }, { uuid: OWNER }, null, []]) {
    cloud.play(() => ({ status: 200, body }))
    await assert.rejects(client.account.profile(), (error: unknown) => error instanceof CloudSigmaError && error.fault.kind === 'malformed')
  }
})

test('3.1: money is exact text, whether the API writes texts or numbers', async () => {
  await using cloud = await startScriptedCloud(({ path }) => {
    if (path.endsWith('/balance/')) return { status: 200, body: '{"balance": 12345678901234567.89, "currency": "CHF"}' }
    return {
      status: 200,
      body: '{"balance": {"balance": "0E-16", "currency": "USD"}, "usage": {"cpu": {"using": 2000.0, "subscribed": null, "burst": "2000"}}}',
    }
  })
  await using client = clientOf(cloud)
  assert.deepEqual(await client.account.balance(), { balance: '12345678901234567.89', currency: 'CHF' })
  assert.deepEqual(await client.account.currentUsage(), {
    balance: { balance: '0', currency: 'USD' },
    usage: { cpu: { using: 2000, burst: 2000 } },
  })
})

test('3.8: subscriptions() filters as the API does', async () => {
  const subscription = {
    id: 7272,
    resource: 'vlan',
    status: 'active',
    amount: '1',
    price: '10.00',
    start_time: 'a',
    end_time: 'b',
    auto_renew: true,
  }
  await using cloud = await startScriptedCloud((asked) => pageOf([subscription], asked))
  await using client = clientOf(cloud)
  assert.deepEqual(await client.account.subscriptions({ status: 'active', resource: 'vlan' }), [
    { id: '7272', resource: 'vlan', status: 'active', amount: '1', price: '10.00', start: 'a', end: 'b', autoRenew: true },
  ])
  assert.equal(cloud.asked[0]?.query.get('status'), 'active')
})

test('3.1: locations() are for people: partners are elsewhere, and no endpoint is made of them', async () => {
  const dublin = {
    id: 'DUB',
    display_name: 'Dublin',
    country_code: 'IE',
    api_endpoint: 'https://ec.servecentric.com/api/2.0/',
    upload_url: 'https://x',
  }
  await using cloud = await startScriptedCloud((asked) => pageOf([dublin], asked))
  await using client = clientOf(cloud)
  assert.equal((await client.account.locations())[0]?.apiEndpoint, 'https://ec.servecentric.com/api/2.0/')
})

test('3.5: capabilities() gives the limits of the location', async () => {
  const body = {
    servers: { cpu: { min: 250, max: 96000 }, smp: { min: 1, max: 32 }, cpu_per_smp: { min: 1000, max: 2893 }, mem: { min: 268435456 } },
    drives: { dssd: { min_size: 536870912.0, max_size: null } },
  }
  await using cloud = await startScriptedCloud(() => ({ status: 200, body }))
  await using client = clientOf(cloud)
  assert.deepEqual(await client.account.capabilities(), {
    cpuMhz: { min: 250, max: 96000 },
    smp: { min: 1, max: 32 },
    cpuPerSmp: { min: 1000, max: 2893 },
    memBytes: { min: 268435456 },
    driveBytes: { dssd: { min: 536870912 } },
  })
})

test('3.10: logs() says who did what, and never reads the details, which hold passwords', async () => {
  const entry = {
    uuid: JOB,
    action: 'create',
    category: 'server',
    actor: { uuid: OWNER },
    success: true,
    timestamp: 't',
    details: '{"vnc_password":"CANARY"}',
  }
  await using cloud = await startScriptedCloud((asked) => pageOf([entry], asked))
  await using client = clientOf(cloud)
  const found = await client.account.logs()
  assert.deepEqual(found, [{ uuid: JOB, action: 'create', category: 'server', actor: OWNER, isSuccess: true, at: 't' }])
  assert.doesNotMatch(JSON.stringify(found), /CANARY/)
})
