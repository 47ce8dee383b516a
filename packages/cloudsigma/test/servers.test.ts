import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudSigmaRequestError, OwnerMismatchError } from '../src/errors.ts'
import { assertOwner } from '../src/made.ts'
import { serverSpecOf } from '../src/server-spec.ts'
import { DRIVE, OWNER, SERVER, STRANGER, clientOf, serverJson, startScriptedCloud } from './scripted-cloud.ts'

const VLAN = '55555555-1111-4222-8333-444444444444'
const TAG = '66666666-1111-4222-8333-444444444444'
const SPEC = { name: 'kdc-a', cpuMhz: 4000, smp: 2, memBytes: 4_294_967_296, vncPassword: 'random24' }
const made = (changes: object = {}): { status: number; body: object } => ({ status: 201, body: { objects: [serverJson(SERVER, changes)] } })

test('3.5: create() sends references as texts and reads them as objects', async () => {
  await using cloud = await startScriptedCloud(() => made())
  await using client = clientOf(cloud)
  const { object } = await client.servers.create({
    ...SPEC,
    drives: [{ drive: DRIVE, bootOrder: 1 }],
    nics: [{ vlan: VLAN }, { ipV4: { conf: 'dhcp' } }],
    meta: { base64_fields: 'cloudinit-user-data' },
    tags: [TAG],
  })
  assert.deepEqual(cloud.asked[0]?.body, {
    objects: [
      {
        name: 'kdc-a',
        cpu: 4000,
        smp: 2,
        mem: 4294967296,
        vnc_password: 'random24',
        drives: [{ drive: DRIVE, device: 'virtio', dev_channel: '0:0', boot_order: 1 }],
        nics: [{ vlan: VLAN }, { ip_v4_conf: { conf: 'dhcp' } }],
        meta: { base64_fields: 'cloudinit-user-data' },
        tags: [TAG],
      },
    ],
  })
  assert.equal(object.drives[0]?.drive, DRIVE)
  assert.equal(object.nics[0]?.vlan, VLAN)
})

test('R-2: create() says whose it is, and assertOwner() refuses what is not the pinned owner’s, with its id', async () => {
  await using cloud = await startScriptedCloud(() => made())
  await using client = clientOf(cloud)
  assert.equal(assertOwner(await client.servers.create(SPEC), OWNER).owner?.uuid, OWNER)
  for (const owner of [{ uuid: STRANGER }, null]) {
    cloud.play(() => made({ owner }))
    const result = await client.servers.create(SPEC)
    assert.throws(
      () => assertOwner(result, OWNER),
      (error: unknown) => error instanceof OwnerMismatchError && error.created === SERVER && error.actual === owner?.uuid,
    )
  }
})

test('R-33: create() sends nothing when an interface has a vlan and an address', async () => {
  await using cloud = await startScriptedCloud(() => made())
  await using client = clientOf(cloud)
  await assert.rejects(
    async () => client.servers.create({ ...SPEC, nics: [{ vlan: VLAN, ipV4: { conf: 'dhcp' } }] }),
    CloudSigmaRequestError,
  )
  assert.equal(cloud.asked.length, 0)
})

test('R-30: create() and update() always send drives, nics, meta and tags, also when there are none', async () => {
  await using cloud = await startScriptedCloud(({ method }) => (method === 'POST' ? made() : { status: 200, body: serverJson(SERVER) }))
  await using client = clientOf(cloud)
  await client.servers.create(SPEC)
  await client.servers.update(SERVER, SPEC)
  const bodies = cloud.asked.map(({ body }) => (body as { objects?: object[] }).objects?.[0] ?? body)
  for (const body of bodies) {
    const { drives, nics, meta, tags } = body as Record<string, unknown>
    assert.deepEqual({ drives, nics, meta, tags }, { drives: [], nics: [], meta: {}, tags: [] })
  }
})

test('R-36: update() carries cpu, mem, name and the VNC password, which came hidden and goes back as it was', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: serverJson(SERVER) }))
  await using client = clientOf(cloud)
  const server = await client.servers.get(SERVER)
  assert.ok(server.vncPassword !== undefined)
  await client.servers.update(SERVER, { ...SPEC, vncPassword: server.vncPassword, meta: server.meta.reveal(), tags: server.tags })
  const { name, cpu, mem, vnc_password: password, meta } = (cloud.asked[1]?.body ?? {}) as Record<string, unknown>
  assert.deepEqual({ name, cpu, mem, password }, { name: 'kdc-a', cpu: 4000, mem: 4294967296, password: 'CANARY-VNC' })
  assert.deepEqual(meta, { base64_fields: 'cloudinit-user-data', 'cloudinit-user-data': 'CANARY-BOOTSTRAP' })
})

test('R-36, R-37: serverSpecOf() sends a server back as it was, but for what is changed: macs, channels and tags stay', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: serverJson(SERVER, { tags: [{ uuid: TAG }] }) }))
  await using client = clientOf(cloud)
  const server = await client.servers.get(SERVER)
  await client.servers.update(SERVER, { ...serverSpecOf(server), meta: { base64_fields: '' } })
  assert.deepEqual(cloud.asked[1]?.body, {
    name: 'kdc-a-md0-x1',
    cpu: 4000,
    smp: 2,
    mem: 4294967296,
    vnc_password: 'CANARY-VNC',
    drives: [{ drive: DRIVE, device: 'virtio', dev_channel: '0:0', boot_order: 1 }],
    nics: [{ vlan: VLAN, mac: '22:aa:00:00:00:01' }],
    meta: { base64_fields: '' },
    tags: [TAG],
  })
  cloud.play(() => ({ status: 200, body: serverJson(SERVER, { vnc_password: null }) }))
  const shared = await client.servers.get(SERVER)
  assert.throws(() => serverSpecOf(shared), CloudSigmaRequestError)
})

test('3.1: get() tolerates floats, nulls, missing and unknown fields, and a state of next year', async () => {
  const odd = `{"uuid":"${SERVER}","name":null,"status":"hibernating","cpu":4000.0,"mem":"4294967296","owner":null,"drives":null,
    "nics":[{"mac":null,"vlan":"${VLAN}"},null,{"ip_v4_conf":{"conf":"static","ip":{"uuid":"185.12.6.183"}}}],"tags":["${TAG}",{"uuid":"${TAG}"},7],
    "meta":{"a":"b","n":5},"permissions":null,"brand_new":{"deep":[1]}}`
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: odd }))
  await using client = clientOf(cloud)
  const server = await client.servers.get(SERVER)
  assert.equal(server.cpuMhz, 4000)
  assert.equal(server.memBytes, 4294967296)
  assert.equal(server.status, 'hibernating')
  assert.equal(server.owner, undefined)
  assert.deepEqual(server.nics, [{ vlan: VLAN }, {}, { ipV4: { conf: 'static', ip: '185.12.6.183' } }])
  assert.deepEqual(server.tags, [TAG, TAG])
  assert.deepEqual(server.meta.reveal(), { a: 'b', n: '5' })
})

test('R-38: get() of a running server says each interface’s address: the ip is the uuid, and public or private is said', async () => {
  const runtime = {
    active_since: '2026-11-22T12:00:00+00:00',
    nics: [
      { interface_type: 'public', mac: '22:aa:00:00:00:01', ip_v4: { uuid: '94.26.101.149', resource_uri: '/' }, ip_v6: null, io: {} },
    ],
  }
  await using cloud = await startScriptedCloud(() => ({ status: 200, body: serverJson(SERVER, { status: 'running', runtime }) }))
  await using client = clientOf(cloud)
  const server = await client.servers.get(SERVER)
  assert.deepEqual(server.nics[0]?.running, { interfaceType: 'public', ipV4: '94.26.101.149' })
  assert.equal(server.activeSince, '2026-11-22T12:00:00+00:00')
})

test('3.5: act() always sends {} and takes 202; avoid and allocation_method go in the query', async () => {
  await using cloud = await startScriptedCloud(({ query }) => ({
    status: 202,
    body: { action: query.get('do'), result: 'success', uuid: SERVER },
  }))
  await using client = clientOf(cloud)
  for (const action of ['start', 'stop', 'shutdown', 'restart', 'close_vnc'] as const) {
    assert.deepEqual(await client.servers.act(SERVER, action), { action, result: 'success', uuid: SERVER })
  }
  await client.servers.act(SERVER, 'start', { avoid: [DRIVE], allocationMethod: 'pack' })
  assert.ok(cloud.asked.every(({ text, path }) => text === '{}' && path === `/api/2.0/servers/${SERVER}/action/`))
  assert.deepEqual(Object.fromEntries(cloud.asked.at(-1)?.query ?? []), { do: 'start', avoid: DRIVE, allocation_method: 'pack' })
})

test('3.5: act() hides the address of a console', async () => {
  await using cloud = await startScriptedCloud(() => ({
    status: 202,
    body: { action: 'open_vnc', result: 'success', uuid: SERVER, vnc_url: 'vnc://CANARY' },
  }))
  await using client = clientOf(cloud)
  const reply = await client.servers.act(SERVER, 'open_vnc')
  assert.equal(reply.url?.reveal(), 'vnc://CANARY')
  assert.doesNotMatch(JSON.stringify(reply), /CANARY/)
})

test('R-22: delete() says what goes with the server, and takes 204 without a body', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 204 }))
  await using client = clientOf(cloud)
  await client.servers.delete(SERVER, { recurse: 'all_drives' })
  await client.servers.delete(SERVER)
  assert.deepEqual(
    cloud.asked.map(({ method, query, text }) => [method, query.get('recurse'), text]),
    [
      ['DELETE', 'all_drives', ''],
      ['DELETE', null, ''],
    ],
  )
})

test('3.7: clone() always names what it makes', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 202, body: { objects: [serverJson(SERVER)] } }))
  await using client = clientOf(cloud)
  await client.servers.clone(SERVER, { name: 'copy' })
  assert.deepEqual(cloud.asked[0]?.body, { name: 'copy' })
  await assert.rejects(async () => client.servers.clone(SERVER, { name: ' ' }), CloudSigmaRequestError)
})

test('an id that is no UUID never becomes a path', async () => {
  await using cloud = await startScriptedCloud(() => made())
  await using client = clientOf(cloud)
  for (const id of ['..', '../../service_provider/api/v1/user/impersonate', '', `${SERVER}/action`, '%2e%2e'])
    await assert.rejects(async () => client.servers.get(id), CloudSigmaRequestError)
  assert.equal(cloud.asked.length, 0)
})
