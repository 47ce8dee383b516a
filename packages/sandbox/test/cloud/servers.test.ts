import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { INITIAL_KNOBS } from '../../src/cloud/knobs.ts'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { type Api, type Json, actAs, errorOf, firstOf } from './cloud-client.ts'

let cloud: SandboxCloud
let user: Api
before(async () => {
  cloud = await startSandboxCloud({ seed: 1, clock: 'frozen', knobs: { impTtlS: 1_000_000 } })
  user = await actAs(cloud, 'user@example.com')
})
after(() => cloud.close())
beforeEach(() => {
  cloud.setKnobs({ ...INITIAL_KNOBS, impTtlS: 1_000_000, listLagMs: 0 })
  cloud.clearFaults()
})

const SHAPE = { name: 'vm', cpu: 2000, mem: 1_073_741_824, vnc_password: 'canary' }
const made = async (more: object = {}): Promise<string> => firstOf(await user.post('servers/', { ...SHAPE, ...more })).uuid
const read = async (uuid: string): Promise<Json> => (await user.get(`servers/${uuid}/`)).json as Json
const statusOf = async (uuid: string): Promise<unknown> => (await read(uuid))['status']
const running = async (more: object = {}): Promise<string> => {
  const uuid = await made(more)
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`)).status, 202)
  cloud.clock.advance(2000)
  assert.equal(await statusOf(uuid), 'running')
  return uuid
}

test('POST /servers/ takes one object or several and answers 201 with Location, and with objects where strings were sent', async () => {
  const drive = firstOf(await user.post('drives/', { name: 'd', size: 1_207_959_631, media: 'disk' }))
  assert.equal(drive['size'], 1_207_975_936)
  cloud.clock.advance(1000)
  const vlan = firstOf(await user.get('vlans/')).uuid
  const reply = await user.post('servers/', {
    objects: [
      {
        ...SHAPE,
        drives: [{ boot_order: 1, dev_channel: '0:0', device: 'virtio', drive: drive.uuid }],
        nics: [{ vlan }, { ip_v4_conf: { conf: 'dhcp' } }],
        meta: { token: 'x' },
      },
    ],
  })
  assert.equal(reply.status, 201)
  const server = firstOf(reply)
  assert.equal(reply.headers.get('location'), server['resource_uri'])
  assert.deepEqual((server['owner'] as Json)['uuid'], cloud.users[0]?.uuid)
  const [mount] = server['drives'] as Json[]
  assert.deepEqual(mount?.['drive'], { resource_uri: `/api/2.0/drives/${drive.uuid}/`, uuid: drive.uuid })
  const [first, second] = server['nics'] as Json[]
  assert.deepEqual(first?.['vlan'], { resource_uri: `/api/2.0/vlans/${vlan}/`, uuid: vlan })
  assert.equal(first?.['ip_v4_conf'], null)
  assert.match(String(second?.['mac']), /^22(:[0-9a-f]{2}){5}$/)
  assert.equal(((await user.get(`drives/${drive.uuid}/`)).json as Json)['status'], 'mounted')
})

test('POST /servers/ names the field that is missing or out of range', async () => {
  for (const [body, point] of [
    [{ ...SHAPE, name: undefined }, 'name'],
    [{ ...SHAPE, vnc_password: undefined }, 'vnc_password'],
    [{ ...SHAPE, cpu: 249 }, 'cpu'],
    [{ ...SHAPE, mem: 268_435_455 }, 'mem'],
    [{ ...SHAPE, smp: 33 }, 'smp'],
    [{ ...SHAPE, cpu: 2000, smp: 4 }, 'smp'],
    [{ ...SHAPE, meta: { ['k'.repeat(33)]: 'v' } }, 'meta'],
    [{ ...SHAPE, meta: { k: 1 } }, 'meta'],
    [{ ...SHAPE, drives: [{ drive: 'x', device: 'virtio', dev_channel: '0:6' }] }, 'dev_channel'],
  ] as const) {
    const reply = await user.post('servers/', body)
    assert.equal(reply.status, 400, reply.text)
    assert.deepEqual([errorOf(reply)['error_type'], errorOf(reply)['error_point']], ['validation', point])
  }
  assert.equal(errorOf(await user.post('servers/', { ...SHAPE, name: undefined }))['error_message'], 'This field is required')
})

test('R-33: a NIC with a vlan and an IP configuration is a 400, and a mac that the server does not have too', async () => {
  const vlan = firstOf(await user.get('vlans/')).uuid
  const both = await user.post('servers/', { ...SHAPE, nics: [{ vlan, ip_v4_conf: { conf: 'dhcp' } }] })
  assert.equal(both.status, 400)
  const uuid = await made({ nics: [{ vlan }] })
  const unknown = await user.put(`servers/${uuid}/`, { ...SHAPE, nics: [{ mac: '22:00:00:00:00:00', vlan }] })
  assert.equal(errorOf(unknown)['error_point'], 'mac')
  assert.equal((await user.put(`servers/${uuid}/`, SHAPE)).status, 200)
  assert.deepEqual((await read(uuid))['nics'], [])
})

test('a server goes stopped, starting, running, stopping, stopped, and is gone after DELETE', async () => {
  const uuid = await made({ nics: [{ ip_v4_conf: { conf: 'dhcp' } }] })
  const started = await user.post(`servers/${uuid}/action/?do=start`)
  assert.deepEqual([started.status, started.json], [202, { action: 'start', result: 'success', uuid }])
  assert.equal(await statusOf(uuid), 'starting')
  cloud.clock.advance(1999)
  assert.equal(await statusOf(uuid), 'starting')
  cloud.clock.advance(1)
  const up = await read(uuid)
  assert.equal(up['status'], 'running')
  const [nic] = (up['runtime'] as { nics: Json[] }).nics
  assert.equal(nic?.['interface_type'], 'public')
  assert.match(JSON.stringify(nic?.['ip_v4']), /185\.12\./)
  const again = await user.post(`servers/${uuid}/action/?do=start`)
  assert.equal(again.status, 403)
  assert.equal(
    errorOf(again)['error_message'],
    `Error attempting to put '${uuid}' in state 'starting'. It should be in state 'stopped', not 'running'.`,
  )
  await user.post(`servers/${uuid}/action/?do=stop`)
  assert.equal(await statusOf(uuid), 'stopping')
  const early = await user.delete(`servers/${uuid}/`)
  assert.equal(
    errorOf(early)['error_message'],
    `Error attempting to put '${uuid}' in state 'deleting'. It should be in state 'stopped', not 'stopping'.`,
  )
  cloud.clock.advance(1000)
  assert.equal((await read(uuid))['runtime'], null)
  assert.equal((await user.delete(`servers/${uuid}/`)).status, 204)
  const gone = await user.get(`servers/${uuid}/`)
  assert.deepEqual([gone.status, errorOf(gone)['error_type']], [404, 'notexist'])
})

test('shutdown returns to running when the guest ignores it', async () => {
  const uuid = await running()
  cloud.setKnobs({ guestIgnoresShutdown: true })
  await user.post(`servers/${uuid}/action/?do=shutdown`)
  cloud.clock.advance(59_999)
  assert.equal(await statusOf(uuid), 'stopping')
  cloud.clock.advance(1)
  assert.equal(await statusOf(uuid), 'running')
  cloud.setKnobs({ guestIgnoresShutdown: false })
  await user.post(`servers/${uuid}/action/?do=shutdown`)
  cloud.clock.advance(1000)
  assert.equal(await statusOf(uuid), 'stopped')
})

test('restart comes back up, and a stop in the middle of anything wins', async () => {
  const uuid = await running()
  await user.post(`servers/${uuid}/action/?do=restart`)
  cloud.clock.advance(3000)
  assert.equal(await statusOf(uuid), 'running')
  await user.post(`servers/${uuid}/action/?do=restart`)
  await user.post(`servers/${uuid}/action/?do=stop`)
  cloud.clock.advance(100_000)
  assert.equal(await statusOf(uuid), 'stopped')
})

test('startOutcome refuses a start as the cloud does: 402, 503 capacity, 503 concurrency once, or stuck', async () => {
  const uuid = await made()
  const start = async (): Promise<[number, unknown]> => {
    const reply = await user.post(`servers/${uuid}/action/?do=start`)
    return [reply.status, reply.status === 202 ? undefined : errorOf(reply)['error_type']]
  }
  cloud.setKnobs({ startOutcome: 'payment' })
  assert.deepEqual(await start(), [402, 'payment'])
  cloud.setKnobs({ startOutcome: 'capacity' })
  assert.deepEqual(await start(), [503, 'backend'])
  cloud.setKnobs({ startOutcome: 'concurrency-once' })
  assert.deepEqual(await start(), [503, 'concurrency'])
  assert.deepEqual(await start(), [202, undefined])
  const stuck = await made()
  cloud.setKnobs({ startOutcome: 'stuck' })
  await user.post(`servers/${stuck}/action/?do=start`)
  cloud.clock.advance(86_400_000)
  assert.equal(await statusOf(stuck), 'starting')
})

test('a start needs funds for five days: 402 without them', async () => {
  cloud.changeUser('user@example.com', { paid: 0 })
  const uuid = await made()
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`)).status, 402)
  cloud.setKnobs({ enforceFunds: false })
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`)).status, 202)
  cloud.changeUser('user@example.com', { paid: 100_000 })
})

test('open question 10: PUT on a running server applies name, meta and tags and drops the rest without a word', async () => {
  const uuid = await running({ nics: [{ ip_v4_conf: { conf: 'dhcp' } }], meta: { old: '1' } })
  const reply = await user.put(`servers/${uuid}/`, { ...SHAPE, name: 'renamed', cpu: 4000, meta: { next: '2' }, nics: [] })
  assert.equal(reply.status, 200)
  const kept = reply.json as Json
  assert.deepEqual([kept['name'], kept['meta'], kept['cpu']], ['renamed', { next: '2' }, 2000])
  assert.equal((kept['nics'] as unknown[]).length, 1)
  cloud.setKnobs({ runningPut: 'applied' })
  await user.put(`servers/${uuid}/`, { ...SHAPE, nics: [] })
  assert.equal(((await read(uuid))['nics'] as unknown[]).length, 0)
})

test('DELETE ?recurse= takes drives along by media; without it they stay, unmounted; deleteLeavesDrives ignores it', async () => {
  const withDrives = async (): Promise<{ server: string; disk: string; cdrom: string }> => {
    const disk = firstOf(await user.post('drives/', { name: 'a', size: 536_870_912, media: 'disk' })).uuid
    const cdrom = firstOf(await user.post('drives/', { name: 'b', size: 536_870_912, media: 'cdrom' })).uuid
    cloud.clock.advance(1000)
    const drives = [disk, cdrom].map((drive, unit) => ({ drive, device: 'virtio', dev_channel: `0:${unit}` }))
    return { server: await made({ drives }), disk, cdrom }
  }
  const left = async ({ disk, cdrom }: { disk: string; cdrom: string }): Promise<number[]> => [
    (await user.get(`drives/${disk}/`)).status,
    (await user.get(`drives/${cdrom}/`)).status,
  ]
  for (const [recurse, expected] of [
    ['', [200, 200]],
    ['?recurse=all_drives', [404, 404]],
    ['?recurse=disks', [404, 200]],
    ['?recurse=cdroms', [200, 404]],
  ] as const) {
    const all = await withDrives()
    assert.equal((await user.delete(`servers/${all.server}/${recurse}`)).status, 204)
    assert.deepEqual(await left(all), expected, recurse)
  }
  cloud.setKnobs({ deleteLeavesDrives: true })
  const all = await withDrives()
  await user.delete(`servers/${all.server}/?recurse=all_drives`)
  assert.deepEqual(await left(all), [200, 200])
})

test('deleteMs leaves a server deleting after the 204; deleteRefused answers the state error', async () => {
  const uuid = await made()
  cloud.setKnobs({ deleteRefused: true })
  assert.equal((await user.delete(`servers/${uuid}/`)).status, 403)
  cloud.setKnobs({ deleteRefused: false, deleteMs: 5000 })
  assert.equal((await user.delete(`servers/${uuid}/`)).status, 204)
  assert.equal(await statusOf(uuid), 'deleting')
  cloud.clock.advance(5000)
  assert.equal((await user.get(`servers/${uuid}/`)).status, 404)
})

test('an action without a body is a 400, unless a knob lets it pass', async () => {
  const uuid = await made()
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`, '')).status, 400)
  cloud.setKnobs({ emptyActionBody: 'accepted' })
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`, '')).status, 202)
})

test('happen() brings what no client did: crash, unavailable, stop, rename, delete, change_owner', async () => {
  const uuid = await running()
  cloud.happen({ event: 'crash', server: uuid })
  assert.equal(await statusOf(uuid), 'starting')
  cloud.clock.advance(2000)
  assert.equal(await statusOf(uuid), 'running')
  cloud.happen({ event: 'unavailable', server: uuid })
  assert.equal(await statusOf(uuid), 'unavailable')
  cloud.happen({ event: 'heal', server: uuid })
  assert.throws(() => cloud.happen({ event: 'heal', server: uuid }), /is running, and would have to be unavailable or paused/)
  cloud.happen({ event: 'rename', server: uuid, name: 'other' })
  assert.deepEqual([await statusOf(uuid), (await read(uuid))['name']], ['running', 'other'])
  cloud.happen({ event: 'change_owner', server: uuid, owner: 'other@example.com' })
  const refused = await user.get(`servers/${uuid}/`)
  assert.equal(refused.status, 403)
  assert.equal(
    errorOf(refused)['error_message'],
    `User ${cloud.users[0]?.uuid} does not have all of the permissions [LIST] in order to complete the operation on resources [${uuid}]`,
  )
  const other = await actAs(cloud, 'other@example.com')
  cloud.happen({ event: 'delete', server: uuid })
  assert.equal((await other.get(`servers/${uuid}/`)).status, 404)
  assert.throws(() => cloud.happen({ event: 'stop', server: uuid }), /there is no such server/)
})

test('a server on a drive that is still cloning cannot be started (R-17)', async () => {
  const library = firstOf(await user.get('libdrives/')).uuid
  const reply = await user.post(`libdrives/${library}/action/?do=clone`, { name: 'clone' })
  assert.equal(reply.status, 202)
  const drive = firstOf(reply)
  assert.equal(drive['status'], 'cloning_dst')
  assert.equal((drive['meta'] as Json)['os'], 'linux')
  const uuid = await made({ drives: [{ drive: drive.uuid, device: 'virtio', dev_channel: '0:0' }] })
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`)).status, 403)
  const [job] = drive['jobs'] as { uuid: string }[]
  cloud.clock.advance(2500)
  const half = (await user.get(`jobs/${job?.uuid}/`)).json as Json
  assert.deepEqual([half['state'], half['data'], half['operation']], ['started', { progress: 50 }, 'drive_clone'])
  cloud.clock.advance(2500)
  assert.equal(((await user.get(`jobs/${job?.uuid}/`)).json as Json)['state'], 'success')
  assert.equal((await user.post(`servers/${uuid}/action/?do=start`)).status, 202)
})
