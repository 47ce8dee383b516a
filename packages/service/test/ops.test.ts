import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { ListenError } from '../src/errors.ts'
import { listenOn } from '../src/listen.ts'
import { createMeters } from '../src/meters.ts'
import { type OpsOptions, startOps } from '../src/ops.ts'
import { parsePrometheusText } from './prometheus-text.ts'

const start = (ready: OpsOptions['ready'], meters: OpsOptions['meters'] = createMeters()) =>
  startOps({ host: '127.0.0.1', port: 0, meters, ready })

test('startOps() answers /healthz with 200, whether ready or not', async () => {
  await using ops = await start(() => ({ database: { ok: false } }))
  const response = await fetch(`${ops.url}/healthz`)
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'ok\n')
})

test('startOps() answers /readyz with 200 only when every check is ok, and names each', async () => {
  const checks = { journal: { ok: true }, database: { ok: false, detail: 'connection refused' } }
  await using ops = await start(() => checks)
  const refused = await fetch(`${ops.url}/readyz`)
  assert.equal(refused.status, 503)
  assert.deepEqual(await refused.json(), { ready: false, checks })
  checks.database = { ok: true, detail: '0 behind' }
  const ready = await fetch(`${ops.url}/readyz`)
  assert.equal(ready.status, 200)
  assert.deepEqual(await ready.json(), { ready: true, checks })
})

test('startOps() answers /readyz with 503 and the masked reason when asking fails', async () => {
  await using ops = await start(async () => Promise.reject(new Error('postgres://u:hunter2@db is down')))
  const response = await fetch(`${ops.url}/readyz`)
  assert.equal(response.status, 503)
  assert.deepEqual(await response.json(), { ready: false, checks: { ready: { ok: false, detail: 'postgres://u:***@db is down' } } })
})

test('startOps() serves /metrics in the text format, without a body to HEAD, 404 and 405 elsewhere', async () => {
  const meters = createMeters()
  meters.counter('x_total', 'X.').add(3)
  await using ops = await start(() => ({}), meters)
  const response = await fetch(`${ops.url}/metrics?now`)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.deepEqual(parsePrometheusText(await response.text()), [{ name: 'x_total', labels: {}, value: 3 }])
  const head = await fetch(`${ops.url}/metrics`, { method: 'HEAD' })
  assert.equal(await head.text(), '')
  assert.equal((await fetch(`${ops.url}/v1/models`)).status, 404)
  assert.equal((await fetch(`${ops.url}/metrics`, { method: 'POST' })).status, 405)
})

test('startOps() outlives meters that cannot be rendered', async () => {
  const broken = { render: () => assert.fail('broken') }
  await using ops = await start(() => ({}), broken)
  await assert.rejects(fetch(`${ops.url}/metrics`))
  assert.equal((await fetch(`${ops.url}/healthz`)).status, 200)
})

test('listenOn() says which address is in use and what to do', async () => {
  await using first = createServer()
  const { port } = await listenOn(first, { host: '127.0.0.1', port: 0 })
  await assert.rejects(listenOn(createServer(), { host: '127.0.0.1', port }), (error) => {
    assert(error instanceof ListenError)
    assert.match(error.message, new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: the address is in use`))
    return true
  })
})
