import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { KNOBS } from '../../src/cloud/knobs.ts'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { type Answer, type Json, actAs, askImpersonation, askToken, call, firstOf } from './cloud-client.ts'

let cloud: SandboxCloud
before(async () => {
  cloud = await startSandboxCloud({ seed: 5, clock: 'frozen', knobs: { listLagMs: 0 } })
})
after(() => cloud.close())
beforeEach(() => cloud.clearFaults())

const control = (method: string, path: string, body?: unknown): Promise<Answer> =>
  call(`${cloud.control.url}${path}`, { method, body, headers: { authorization: `Bearer ${cloud.control.token}` } })
const SHAPE = { name: 'vm', cpu: 2000, mem: 1_073_741_824, vnc_password: 'canary-vnc' }

test('the control listener wants its token, for the page too', async () => {
  for (const path of ['/', '/knobs', '/?token=wrong']) {
    assert.equal((await call(`${cloud.control.url}${path}`)).status, 401)
  }
  assert.equal((await call(cloud.control.page)).status, 200)
  assert.notEqual(new URL(cloud.control.url).port, new URL(cloud.oauthUrl).port)
})

test('POST /knobs turns knobs at once, and refuses a name or value that is none', async () => {
  assert.deepEqual(Object.keys((await control('GET', '/knobs')).json as Json), Object.keys(KNOBS))
  const turned = await control('POST', '/knobs', { impTtlS: 77 })
  assert.equal((turned.json as Json)['impTtlS'], 77)
  assert.equal(((await askImpersonation(cloud, 'user@example.com')).json as Json)['expires_in'], 77)
  for (const [body, problem] of [
    [{ impTtl: 77 }, /no such knob; did you mean 'impTtlS'/],
    [{ impTtlS: '77' }, /it takes a whole number/],
    [[], /must be a JSON object/],
  ] as const) {
    const refused = await control('POST', '/knobs', body)
    assert.equal(refused.status, 400)
    assert.match(refused.text, problem)
  }
  assert.equal(cloud.knobs.impTtlS, 77)
  cloud.setKnobs({ impTtlS: 300 })
})

test('POST /faults arms a fault, DELETE /faults/:id takes it back, and one with a slip in it is refused', async () => {
  const armed = await control('POST', '/faults', { match: { step: 'service-token' }, does: { status: 500 } })
  const { id } = armed.json as { id: number }
  assert.equal((await askToken(cloud, { grant_type: 'client_credentials' })).status, 500)
  assert.deepEqual((await control('GET', '/faults')).json, [{ id, match: { step: 'service-token' }, does: { status: 500 }, used: 1 }])
  assert.equal((await control('DELETE', `/faults/${id}`)).status, 204)
  assert.equal((await askToken(cloud, { grant_type: 'client_credentials' })).status, 401)
  for (const slip of [
    { match: { steps: 'api' }, does: { status: 500 } },
    { match: { step: 'apis' }, does: { status: 500 } },
    { does: {} },
    { does: { delayMs: -1 } },
  ]) {
    assert.equal((await control('POST', '/faults', slip)).status, 400, JSON.stringify(slip))
  }
})

test('users, clients, tokens and keys are changed over HTTP', async () => {
  const added = await control('POST', '/users', { email: 'new@example.com', paid: 5 })
  assert.equal(added.status, 200)
  const as = await actAs(cloud, 'new@example.com')
  assert.equal(((await as.get('balance/')).json as Json)['balance'], '5')
  await control('POST', '/users/new@example.com', { state: 'SUSPENDED' })
  assert.equal(((await as.get('profile/')).json as Json)['state'], 'SUSPENDED')
  assert.equal((await as.get('servers/')).status, 403)
  assert.equal((await askImpersonation(cloud, 'new@example.com')).status, 403)
  assert.deepEqual((await control('POST', '/tokens/revoke', { user: 'new@example.com' })).json, { revoked: 1 })
  assert.equal((await as.get('profile/')).status, 401)
  assert.equal((await control('POST', '/users/new@example.com', { stat: 'REGULAR' })).status, 400)
  assert.equal((await control('POST', '/clients/kubernetes_cluster_service', { secret: 'next' })).status, 204)
  for (const slip of [{ secrets: 'x' }, { lifetimeS: '5' }, { access: 'open' }, { rotatedSecret: 'old' }]) {
    assert.equal((await control('POST', '/clients/kubernetes_cluster_service', slip)).status, 400, JSON.stringify(slip))
  }
  const old = { grant_type: 'client_credentials', client_id: 'kubernetes_cluster_service', client_secret: 'kcs-secret' }
  assert.equal((await askToken(cloud, old)).status, 401)
  assert.equal((await control('POST', '/clients/kubernetes_cluster_service', { secret: 'kcs-secret' })).status, 204)
  assert.equal((await control('POST', '/keys/rotate', { keep: 'newest' })).status, 204)
  assert.equal((await askToken(cloud, old)).status, 200)
})

test('POST /clock moves time ahead, stands it still, and never turns it back', async () => {
  const at = Date.parse(String(((await control('GET', '/clock')).json as Json)['now']))
  const moved = (await control('POST', '/clock', { advanceMs: 1500 })).json as Json
  assert.deepEqual(moved, { now: new Date(at + 1500).toISOString(), mode: 'frozen' })
  assert.equal((await control('POST', '/clock', { advanceMs: -1 })).status, 400)
  assert.equal((await control('POST', '/clock', { mode: 'backwards' })).status, 400)
})

test('GET /calls is a ledger of every call: who, where, as whom, with what answer and cost, and no secret', async () => {
  cloud.forgetCalls()
  const user = await actAs(cloud, 'user@example.com')
  const server = firstOf(await user.post('servers/', SHAPE)).uuid
  await user.post(`servers/${server}/action/?do=start`)
  const calls = (await control('GET', '/calls')).json as Json[]
  assert.deepEqual(
    calls.map(({ step, method, path, status, region, kind }) => [step, method, path, status, region, kind]),
    [
      ['service-token', 'POST', '/realms/cloudsigma/protocol/openid-connect/token', 200, undefined, 'oauth'],
      ['rpt', 'POST', '/realms/cloudsigma/protocol/openid-connect/token', 200, undefined, 'oauth'],
      ['impersonate', 'POST', '/service_provider/api/v1/user/impersonate', 200, 'zrh', 'direct'],
      ['api', 'POST', '/api/2.0/servers/', 201, 'zrh', 'direct'],
      ['api', 'POST', `/api/2.0/servers/${server}/action/`, 202, 'zrh', 'direct'],
    ],
  )
  // 2 GHz at 0.011 and 1 GiB at 0.008 an hour.
  assert.deepEqual([calls[4]?.['user'], calls[4]?.['query'], calls[4]?.['costNanoPerHour']], ['user@example.com', 'do=start', '30000000'])
  const everything = JSON.stringify(calls)
  for (const secret of [user.token, 'kcs-secret', 'canary-vnc']) assert.ok(!everything.includes(secret))
  assert.equal((await control('DELETE', '/calls')).status, 204)
  assert.deepEqual(cloud.calls(), [])
})

test('GET /bill counts MHz and bytes by the millisecond, exactly, and only while they run', async () => {
  await control('POST', '/users', { email: 'payer@example.com' })
  const payer = await actAs(cloud, 'payer@example.com')
  const drive = firstOf(await payer.post('drives/', { name: 'd', size: 1_073_741_824, media: 'disk' })).uuid
  cloud.clock.advance(3_600_000)
  const again = await actAs(cloud, 'payer@example.com')
  const server = firstOf(await again.post('servers/', { ...SHAPE, drives: [{ drive, device: 'virtio', dev_channel: '0:0' }] })).uuid
  await again.post(`servers/${server}/action/?do=start`)
  cloud.clock.advance(299_000)
  await again.post(`servers/${server}/action/?do=stop`)
  cloud.clock.advance(3_600_000)
  const bill = ((await control('GET', '/bill?owner=payer@example.com')).json as Record<string, Json>)['zrh']
  // Paid from the start that was taken to the stop that was done: 299 s and the second of stopping.
  assert.equal(bill?.['cpuMhzMs'], String(2000 * 300_000))
  assert.equal(bill?.['memByteMs'], String(1_073_741_824 * 300_000))
  assert.equal(bill?.['diskByteMs'], String(1_073_741_824 * (3_600_000 + 299_000 + 3_600_000)))
  assert.equal(bill?.['cpuMhzHours'], '166.666666')
  assert.deepEqual([bill?.['cpuMhz'], bill?.['diskBytes']], ['0', '1073741824'])
  const nano = (300_000n * (22_000_000n + 8_000_000n) + 7_499_000n * 180_000n) / 3_600_000n
  assert.equal(bill?.['costNano'], String(nano))
  assert.equal((await control('GET', '/bill?owner=nobody@example.com')).status, 400)
})

test('GET /intervals says when which machine ran, deleted ones too, and adds up to the bill', async () => {
  await control('POST', '/users', { email: 'metered@example.com' })
  const api = await actAs(cloud, 'metered@example.com')
  const server = firstOf(await api.post('servers/', SHAPE)).uuid
  const start = cloud.clock.now()
  await api.post(`servers/${server}/action/?do=start`)
  cloud.clock.advance(50_000)
  cloud.happen({ event: 'crash', server })
  cloud.clock.advance(10_000)
  await api.post(`servers/${server}/action/?do=stop`)
  cloud.clock.advance(5000)
  await api.delete(`servers/${server}/`)
  const [interval, ...more] = (await control('GET', '/intervals?owner=metered@example.com')).json as Json[]
  assert.equal(more.length, 0, 'a crash of the host is no end')
  assert.deepEqual([interval?.['server'], interval?.['start'], interval?.['end']], [server, start, start + 61_000])
  assert.equal(cloud.bill('metered@example.com')['zrh']?.cpuMhzMs, 2000n * 61_000n)
})

test('POST /events lets things happen to a server', async () => {
  const user = await actAs(cloud, 'user@example.com')
  const server = firstOf(await user.post('servers/', SHAPE)).uuid
  assert.equal((await control('POST', '/events', { event: 'rename', server, name: 'x' })).status, 204)
  assert.equal(((await user.get(`servers/${server}/`)).json as Json)['name'], 'x')
  assert.equal((await control('POST', '/events', { event: 'vanish', server })).status, 400)
})

test('POST /script plans acts by the clock, and refuses a script with a slip before anything is planned', async () => {
  const planned = await control('POST', '/script', [
    { afterMs: 1000, act: 'POST /knobs', body: { impTtlS: 11 } },
    { afterMs: 2000, act: 'POST /users/other@example.com', body: { state: 'SUSPENDED' } },
    { afterMs: 3000, act: 'POST /users/other@example.com', body: { state: 'REGULAR' } },
  ])
  assert.deepEqual(planned.json, { planned: 3 })
  cloud.clock.advance(999)
  cloud.accounts()
  assert.equal(cloud.knobs.impTtlS, 300)
  cloud.clock.advance(1)
  cloud.accounts()
  assert.equal(cloud.knobs.impTtlS, 11)
  cloud.clock.advance(1000)
  assert.equal((await askImpersonation(cloud, 'other@example.com')).status, 403)
  cloud.clock.advance(1000)
  assert.equal((await askImpersonation(cloud, 'other@example.com')).status, 200)
  cloud.setKnobs({ impTtlS: 300 })
  for (const slip of [
    [{ afterMs: 1, act: 'POST /knob' }],
    [null],
    {},
    [{ afterMs: -1, act: 'POST /knobs' }],
    [{ afterMs: 1, act: 'GET /knobs' }],
  ]) {
    assert.equal((await control('POST', '/script', slip)).status, 400, JSON.stringify(slip))
  }
})

test('the page shows accounts, machines and calls, escapes what they are called, and loads nothing', async () => {
  const user = await actAs(cloud, 'user@example.com')
  await user.post('servers/', { ...SHAPE, name: '<script>alert(1)</script>' })
  const page = await call(cloud.control.page)
  assert.match(page.text, /user@example\.com/)
  assert.match(page.text, /&#60;script&#62;alert/)
  assert.ok(!/<script|<link|<img|https?:|@import|canary-vnc|kcs-secret/.test(page.text))
  assert.match(String(page.headers.get('content-security-policy')), /default-src 'none'/)
})

test(
  'a sandbox whose control port is taken never leaves its other listeners open, which would keep its process alive',
  { timeout: 30_000 },
  async () => {
    const listening = (): number => process.getActiveResourcesInfo().filter((each) => each === 'TCPServerWrap').length
    const before = listening()
    await assert.rejects(startSandboxCloud({ controlPort: Number(new URL(cloud.control.url).port) }), { code: 'LISTEN_FAILED' })
    // Node counts a closed listener until its loop has gone round.
    while (listening() > before) await setImmediate()
  },
)
