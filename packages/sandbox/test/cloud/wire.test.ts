import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { INITIAL_KNOBS } from '../../src/cloud/knobs.ts'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { type Api, type Json, actAs, call, errorOf, firstOf } from './cloud-client.ts'

let cloud: SandboxCloud
let user: Api
let other: Api
before(async () => {
  cloud = await startSandboxCloud({ seed: 21, clock: 'frozen', knobs: { impTtlS: 10_000_000 } })
  user = await actAs(cloud, 'user@example.com')
  other = await actAs(cloud, 'other@example.com')
})
after(() => cloud.close())
beforeEach(() => {
  cloud.setKnobs({ ...INITIAL_KNOBS, impTtlS: 10_000_000, listLagMs: 0 })
  cloud.clearFaults()
})

type Page = {
  readonly meta: { readonly limit: number; readonly offset: number; readonly total_count: number }
  readonly objects: (Json & { uuid: string })[]
}
const SHAPE = { name: 'vm', cpu: 1000, mem: 536_870_912, vnc_password: 'x' }
const page = async (api: Api, path: string): Promise<Page> => {
  const reply = await api.get(path)
  assert.equal(reply.status, 200, reply.text)
  return reply.json as Page
}
const made = async (api: Api, more: object = {}): Promise<string> => firstOf(await api.post('servers/', { ...SHAPE, ...more })).uuid
const auth = (): Readonly<Record<string, string>> => ({ authorization: `Bearer ${user.token}` })
const urlOf = (path: string): string => `${cloud.regions['zrh']?.api}/api/2.0/${path}`

test('R-13: lists have 20 objects unless limit says otherwise; limit=0 is all; limitMax clamps', async () => {
  for (let index = 0; index < 25; index += 1) await made(other, { name: `vm-${index}` })
  const first = await page(other, 'servers/')
  assert.deepEqual([first.objects.length, first.meta], [20, { limit: 20, offset: 0, total_count: 25 }])
  const rest = await page(other, 'servers/?offset=20')
  assert.equal(rest.objects.length, 5)
  const all = await page(other, 'servers/?limit=0')
  assert.deepEqual([all.objects.length, all.meta.limit], [25, 0])
  cloud.setKnobs({ defaultLimit: 3, limitMax: 10 })
  assert.equal((await page(other, 'servers/')).objects.length, 3)
  const clamped = await page(other, 'servers/?limit=0')
  assert.deepEqual([clamped.objects.length, clamped.meta.limit, clamped.meta.total_count], [10, 10, 25])
  assert.equal((await other.get('servers/?limit=x')).status, 400)
})

test('the summary of servers has neither meta nor tags; detail has both; filters, fields and order work', async () => {
  const summary = await page(other, 'servers/?limit=1')
  assert.deepEqual(Object.keys(summary.objects[0] ?? {}), ['name', 'owner', 'resource_uri', 'runtime', 'status', 'uuid'])
  const detail = await page(other, 'servers/detail/?limit=1')
  assert.ok('meta' in (detail.objects[0] ?? {}) && 'tags' in (detail.objects[0] ?? {}))
  assert.equal((await page(other, 'servers/?name=vm-7')).meta.total_count, 1)
  assert.equal((await page(other, 'servers/?name__contains=vm-1')).meta.total_count, 11)
  const uuids = summary.objects.map(({ uuid }) => uuid).join(',')
  assert.equal((await page(other, `servers/?uuid=${uuids}`)).meta.total_count, 1)
  const projected = await page(other, 'servers/detail/?fields=uuid,status&limit=2')
  assert.deepEqual(Object.keys(projected.objects[0] ?? {}).toSorted(), ['status', 'uuid'])
  const ordered = await page(other, 'servers/?order_by=-name&limit=1')
  assert.equal(ordered.objects[0]?.['name'], 'vm-9')
})

test('listLagMs keeps a new object out of lists, and GET by uuid shows it at once (open question 10)', async () => {
  cloud.setKnobs({ listLagMs: INITIAL_KNOBS.listLagMs })
  const uuid = await made(user)
  const listed = async (): Promise<boolean> => (await page(user, 'servers/?limit=0')).objects.some((each) => each.uuid === uuid)
  assert.equal(await listed(), false)
  assert.equal((await user.get(`servers/${uuid}/`)).status, 200)
  cloud.clock.advance(19_999)
  assert.equal(await listed(), false)
  cloud.clock.advance(1)
  assert.equal(await listed(), true)
})

test('R-4: a foreign object is a 403 that names it, an unknown one a 404', async () => {
  const uuid = await made(user)
  for (const reply of [
    await other.get(`servers/${uuid}/`),
    await other.put(`servers/${uuid}/`, SHAPE),
    await other.delete(`servers/${uuid}/`),
  ]) {
    assert.equal(reply.status, 403)
    assert.match(
      String(errorOf(reply)['error_message']),
      /does not have all of the permissions \[\w+\] in order to complete the operation on resources/,
    )
  }
  const unknown = await other.get('servers/6b3d2c3e-0000-4000-8000-000000000000/')
  assert.deepEqual([unknown.status, errorOf(unknown)['error_type']], [404, 'notexist'])
})

test('R-15, H-9: what an ACL grants shows up in the grantee’s lists with its permissions, and only those count', async () => {
  const uuid = await made(user, { name: 'shared' })
  const tag = firstOf(await user.post('tags/', { objects: [{ name: 'share', resources: [uuid] }] })).uuid
  const acl = await user.post('acls/', {
    name: 'a',
    rules: [{ permission: 'LIST' }, { permission: 'START' }],
    grantees: ['other@example.com'],
    tags: [tag],
  })
  assert.equal(acl.status, 201, acl.text)
  const seen = (await page(other, 'servers/detail/?name=shared')).objects[0]
  assert.deepEqual([seen?.uuid, seen?.['permissions'], seen?.['grantees']], [uuid, ['LIST', 'START'], []])
  assert.ok(JSON.stringify(seen?.['owner']).includes(String(cloud.users[0]?.uuid)))
  const own = (await user.get(`servers/${uuid}/`)).json as { permissions: unknown; grantees: { permissions: string[]; user: Json }[] }
  assert.deepEqual(
    [own.permissions, own.grantees[0]?.permissions, own.grantees[0]?.user['email']],
    [[], ['LIST', 'START'], 'other@example.com'],
  )
  assert.equal((await other.post(`servers/${uuid}/action/?do=start`)).status, 202)
  cloud.clock.advance(2000)
  assert.equal((await other.post(`servers/${uuid}/action/?do=stop`)).status, 403)
  assert.equal((await other.delete(`servers/${uuid}/`)).status, 403)
  await user.delete(`acls/${firstOf(acl).uuid}/`)
  assert.equal((await other.get(`servers/${uuid}/`)).status, 403)
})

test('R-29, R-30: tags take uuids or objects, PUT replaces the whole list, and both sides of the relation agree', async () => {
  const [a, b] = [await made(user), await made(user)]
  const tag = firstOf(await user.post('tags/', { objects: [{ name: 't', resources: [{ uuid: a }] }] })).uuid
  const resources = async (): Promise<unknown> =>
    ((await user.get(`tags/${tag}/`)).json as { resources: Json[] }).resources.map(({ uuid, res_type }) => [uuid, res_type])
  assert.deepEqual(await resources(), [[a, 'servers']])
  await user.put(`tags/${tag}/`, { name: 't', resources: [b] })
  assert.deepEqual(await resources(), [[b, 'servers']])
  assert.deepEqual(
    (await page(user, `tags/${tag}/servers/`)).objects.map(({ uuid }) => uuid),
    [b],
  )
  await user.put(`tags/${tag}/`, { name: 't' })
  assert.deepEqual(await resources(), [[b, 'servers']], 'without the field the last resource stays')
  await user.put(`tags/${tag}/`, { name: 't', resources: [] })
  assert.deepEqual(await resources(), [])
  await user.put(`servers/${a}/`, { ...SHAPE, tags: [tag] })
  assert.deepEqual(await resources(), [[a, 'servers']])
  assert.equal((await page(user, `servers/?tag=${tag}`)).meta.total_count, 1)
})

test('drives: size in blocks, clone naming by profile, resize, delete only unmounted', async () => {
  const drive = firstOf(await user.post('drives/', { name: 'd', size: 536_870_913, media: 'disk' }))
  assert.deepEqual([drive['size'], drive['status']], [536_887_296, 'creating'])
  cloud.clock.advance(1000)
  const small = await user.put(`drives/${drive.uuid}/`, { name: 'd', media: 'disk', size: 536_870_912 })
  assert.equal(errorOf(small)['error_point'], 'size')
  const grown = await user.post(`drives/${drive.uuid}/action/?do=resize`, { name: 'd', media: 'disk', size: 1_073_741_824 })
  assert.deepEqual([grown.status, firstOf(grown)['status']], [202, 'resizing'])
  assert.equal((await user.delete(`drives/${drive.uuid}/`)).status, 403)
  cloud.clock.advance(1000)
  await user.put('profile/', { clone_naming: 'COUNTER' })
  const clone = firstOf(await user.post(`drives/${drive.uuid}/action/?do=clone`))
  assert.equal(clone['name'], 'd_1')
  assert.equal(((await user.get(`drives/${drive.uuid}/`)).json as Json)['status'], 'cloning_src')
  cloud.setKnobs({ cloneEndsAs: 'unavailable' })
  const broken = firstOf(await user.post(`drives/${drive.uuid}/action/?do=clone`, { name: 'named' }))
  cloud.clock.advance(5000)
  const statusOf = async (uuid: string): Promise<unknown> => ((await user.get(`drives/${uuid}/`)).json as Json)['status']
  assert.deepEqual(
    [await statusOf(drive.uuid), await statusOf(clone.uuid), await statusOf(broken.uuid)],
    ['unmounted', 'unmounted', 'unavailable'],
  )
  await made(user, { drives: [{ drive: drive.uuid, device: 'virtio', dev_channel: '0:0' }] })
  assert.equal((await user.delete(`drives/${drive.uuid}/`)).status, 403)
  assert.equal((await user.delete(`drives/${clone.uuid}/`)).status, 204)
  assert.equal(firstOf(await user.get('libdrives/'))['owner'], null)
})

test('formats: floats, nulls, unknown fields, XML, 406, a 301 without the slash, gateway HTML', async () => {
  const uuid = await made(user)
  assert.match((await user.get(`servers/${uuid}/`)).text, /"mem":536870912\.0/)
  cloud.setKnobs({ floatNumbers: false, nullFields: true, unknownFields: true })
  const odd = (await user.get(`servers/${uuid}/`)).json as Json
  assert.deepEqual([odd['meta'], odd['tags'], odd['jobs'], typeof odd['sandbox_unknown_field']], [null, null, null, 'object'])
  cloud.setKnobs({ nullFields: false, unknownFields: false })
  const xml = await call(urlOf(`servers/${uuid}/`), { headers: { ...auth(), accept: 'application/xml' } })
  assert.match(String(xml.headers.get('content-type')), /application\/xml/)
  assert.match(xml.text, /<response>.*<mem type="integer">536870912<\/mem>/)
  assert.equal((await call(urlOf('servers/'), { headers: { ...auth(), accept: 'image/png' } })).status, 406)
  assert.equal(
    (await call(urlOf('servers/'), { method: 'POST', body: '{}', headers: { ...auth(), 'content-type': 'text/plain' } })).status,
    406,
  )
  const slashless = await call(urlOf('servers'), { headers: auth() })
  assert.deepEqual([slashless.status, slashless.headers.get('location')], [301, '/api/2.0/servers/'])
  assert.equal((await call(urlOf('servers/'), { method: 'PATCH', headers: auth() })).status, 405)
  const outside = await call(String(cloud.regions['zrh']?.api), { headers: auth() })
  assert.deepEqual([outside.status, outside.text.startsWith('<html>')], [404, true])
  assert.match(String((await user.get('profile/')).headers.get('x-request-id')), /^[0-9a-f-]{36}$/)
})

test('errors come as a list, an object or a page, by the knob', async () => {
  cloud.setKnobs({ errorShape: 'object' })
  const one = await user.get('servers/x/')
  assert.deepEqual(Object.keys(one.json as Json), ['error_type', 'error_message', 'error_point'])
  cloud.setKnobs({ errorShape: 'html' })
  assert.match((await user.get('servers/x/')).text, /^<html>/)
})

test('uuidContains forces 404 into ids: no client may decide on substrings (R-14)', async () => {
  cloud.setKnobs({ uuidContains: '404' })
  const uuid = await made(user)
  assert.match(uuid, /404.*-.*-4.*-/)
  assert.equal((await user.get(`servers/${uuid}/`)).status, 200)
})

test('createThenDropConnection: the create takes effect and its client sees a reset', async () => {
  cloud.addFault({ match: { method: 'POST', path: '/api/2.0/servers/', times: 1 }, does: { drop: 'after' } })
  await assert.rejects(user.post('servers/', { ...SHAPE, name: 'ghost' }))
  assert.equal((await page(user, 'servers/?name=ghost')).meta.total_count, 1)
  cloud.addFault({ match: { method: 'POST', path: '/api/2.0/servers/', times: 1 }, does: { drop: 'before' } })
  await assert.rejects(user.post('servers/', { ...SHAPE, name: 'never' }))
  assert.equal((await page(user, 'servers/?name=never')).meta.total_count, 0)
})

test('a fault is for a step, a method, a path, a user, the nth call, so many calls', async () => {
  cloud.addFault({
    match: { user: 'other@example.com', path: '/api/2.0/servers/*/', nth: 2, times: 1 },
    does: { status: 503, retryAfterS: 7 },
  })
  const uuid = await made(other)
  const get = (api: Api): ReturnType<Api['get']> => api.get(`servers/${uuid}/`)
  assert.equal((await get(other)).status, 200)
  assert.equal((await get(user)).status, 403)
  const second = await get(other)
  assert.deepEqual([second.status, second.headers.get('retry-after'), errorOf(second)['error_type']], [503, '7', 'concurrency'])
  assert.equal((await get(other)).status, 200)
})

test('504 in HTML after a minute of the sandbox’s clock, a hang, a redirect, a cut body, a member laid over', async () => {
  cloud.addFault({ match: { path: '/api/2.0/balance/', times: 1 }, does: { status: 504, body: 'html', delayMs: 60_000 } })
  const slow = user.get('balance/')
  while (cloud.calls().at(-1)?.path !== '/api/2.0/balance/') await new Promise((resolve) => setImmediate(resolve))
  cloud.clock.advance(60_000)
  assert.deepEqual([(await slow).status, (await slow).text.startsWith('<html>')], [504, true])
  cloud.addFault({ match: { path: '/api/2.0/balance/', times: 1 }, does: { redirect: 'http://127.0.0.1:1/' } })
  assert.deepEqual([(await user.get('balance/')).status], [307])
  cloud.addFault({ match: { path: '/api/2.0/balance/', times: 1 }, does: { truncateAt: 5 } })
  await assert.rejects(user.get('balance/'))
  cloud.addFault({ match: { path: '/api/2.0/profile/', times: 1 }, does: { set: { email: 'x@y.z', state: null } } })
  const laid = (await user.get('profile/')).json as Json
  assert.deepEqual([laid['email'], 'state' in laid], ['x@y.z', false])
  cloud.addFault({ match: { path: '/api/2.0/balance/', times: 1 }, does: { hang: true } })
  cloud.forgetCalls()
  const leaving = new AbortController()
  const hung = fetch(urlOf('balance/'), { headers: auth(), signal: leaving.signal })
  while (cloud.calls()[0]?.ms === undefined) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(cloud.calls()[0]?.status, undefined)
  leaving.abort()
  await assert.rejects(hung)
})

test('the published limits: 429 with the seconds left of the minute, DELETE counted apart', async () => {
  cloud.setKnobs({ rateLimitPerMinute: 2, deleteLimitPerMinute: 1 })
  cloud.clock.advance(120_000 - (cloud.clock.now() % 60_000))
  const statuses: number[] = []
  for (let index = 0; index < 3; index += 1) statuses.push((await user.get('profile/')).status)
  assert.deepEqual(statuses, [200, 200, 429])
  assert.equal((await user.delete('servers/x/')).status, 404)
  const limited = await user.delete('servers/x/')
  assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '60'])
  cloud.clock.advance(60_000)
  assert.equal((await user.get('profile/')).status, 200)
})

test('balance, currentusage, subscriptions, locations, capabilities and logs say what there is', async () => {
  const usage = (await user.get('currentusage/')).json as { balance: Json; usage: Record<string, Json> }
  assert.match(String(usage.balance['balance']), /^\d+(\.\d+)?$/)
  assert.deepEqual(usage.usage['vlan'], { burst: 0, subscribed: 1, using: 1 })
  assert.equal((await page(user, 'subscriptions/?resource=vlan&status=active')).meta.total_count, 1)
  assert.equal((await user.post('subscriptions/', { resource: 'vlan' })).status, 201)
  assert.equal((await page(user, 'vlans/')).meta.total_count, 2)
  const ip = firstOf(await user.get('ips/detail/'))
  assert.match(ip.uuid, /^94\.26\./)
  assert.equal(((await user.get(`ips/${ip.uuid}/`)).json as Json)['netmask'], 24)
  const locations = await page(user, 'locations/')
  assert.deepEqual(
    locations.objects.map(({ id }) => id),
    ['ZRH', 'SJC'],
  )
  assert.match(String(locations.objects[0]?.['upload_url']), /^http:\/\/direct\.zrh\.localhost:\d+\/api\/2\.0\/$/)
  const capabilities = (await user.get('capabilities/')).json as { servers: Record<string, Json> }
  assert.deepEqual(capabilities.servers['smp'], { min: 1, max: 32 })
  const server = await made(user, { vnc_password: 'in-the-log' })
  const [entry] = (await page(user, 'logs/?limit=1')).objects
  assert.deepEqual([entry?.['action'], entry?.['category'], entry?.uuid, 'act' in (entry ?? {})], ['create', 'Servers', server, false])
  assert.match(String(entry?.['details']), /in-the-log/, 'the audit log repeats secrets: a reason to keep them out of meta')
  cloud.setKnobs({ actInLogs: true })
  assert.equal((await page(user, 'logs/?limit=1')).objects[0]?.['act'], 'kubernetes_cluster_service')
})

test('POST /accounts/action/?do=login gives cookies; unsafe verbs need the CSRF token too', async () => {
  const login = await call(urlOf('accounts/action/?do=login'), {
    method: 'POST',
    body: { username: 'user@example.com', password: 'user-password' },
  })
  assert.equal(login.status, 200)
  const cookies = login.headers.getSetCookie().map((each) => String(each.split(';', 1)[0]))
  const csrf = String(cookies.find((each) => each.startsWith('csrftoken='))?.slice('csrftoken='.length))
  const cookie = cookies.join('; ')
  assert.equal(((await call(urlOf('profile/'), { headers: { cookie } })).json as Json)['email'], 'user@example.com')
  const post = (headers: Readonly<Record<string, string>>): ReturnType<typeof call> =>
    call(urlOf('servers/'), { method: 'POST', body: SHAPE, headers: { cookie, ...headers } })
  assert.equal((await post({})).status, 403)
  assert.equal((await post({ 'x-csrftoken': csrf })).status, 201)
  await call(urlOf('accounts/action/?do=logout'), { method: 'POST', body: {}, headers: { cookie } })
  assert.equal((await call(urlOf('profile/'), { headers: { cookie } })).status, 401)
  const wrong = await call(urlOf('accounts/action/?do=login'), { method: 'POST', body: { username: 'user@example.com', password: 'x' } })
  assert.equal(wrong.status, 401)
})

test('sharedPayer says who pays for a drive that was shared and is mounted elsewhere (open question 11)', async () => {
  cloud.addUser({ email: 'lender@example.com' })
  const lender = await actAs(cloud, 'lender@example.com')
  const tag = firstOf(await lender.post('tags/', { name: 'lent' })).uuid
  await lender.post('acls/', {
    name: 'a',
    rules: [{ permission: 'ATTACH' }, { permission: 'LIST' }],
    grantees: ['other@example.com'],
    tags: [tag],
  })
  const bytesOf = (email: string): bigint | undefined => cloud.bill(email)['zrh']?.diskBytes
  const before = bytesOf('other@example.com') ?? 0n
  for (const [sharedPayer, lenderPays] of [
    ['owner', true],
    ['user', false],
  ] as const) {
    cloud.setKnobs({ sharedPayer })
    const drive = firstOf(await lender.post('drives/', { name: 'd', size: 536_870_912, media: 'disk', tags: [tag] })).uuid
    cloud.clock.advance(1000)
    const server = await made(other, { drives: [{ drive, device: 'virtio', dev_channel: '0:0' }] })
    assert.deepEqual(
      [bytesOf('lender@example.com'), (bytesOf('other@example.com') ?? 0n) - before],
      lenderPays ? [536_870_912n, 0n] : [0n, 536_870_912n],
    )
    await other.delete(`servers/${server}/`)
    assert.equal(bytesOf('lender@example.com'), 536_870_912n)
    assert.equal((await lender.delete(`drives/${drive}/`)).status, 204)
    assert.deepEqual([bytesOf('lender@example.com'), bytesOf('other@example.com')], [0n, before])
  }
})
