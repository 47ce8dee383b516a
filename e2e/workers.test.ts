import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { askOnce, childrenOf, lives, load, startOnePort } from './support/one-port.ts'
import type { Heard, OnePort } from './support/one-port.ts'
import { askLines, start } from './support/process.ts'
import { temporaryDir } from './support/product.ts'
import type { Event, Ready } from './support/product.ts'

// Several processes on one port, and one generation of them after the other: what is counted at the clients, at the engine and in the ledger
// must be the same.

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(20)
  }
}

async function readyAt(metrics: string): Promise<boolean> {
  try {
    return (await fetch(`${metrics}/readyz`)).status === 200
  } catch {
    return false
  }
}

/** One record for each request, the same at all three. */
async function assertAllTheSame({ engine, data }: OnePort, heard: readonly Heard[]): Promise<void> {
  const failed = heard.filter(({ status, whole }) => status !== 200 || !whole)
  assert.deepEqual(failed, [], `${failed.length} of ${heard.length} requests failed`)
  assert.equal(engine.totals.requests, heard.length, 'the engine saw another number of requests')
  const ids = new Set(heard.map(({ eventId }) => eventId))
  assert.equal(ids.size, heard.length, 'two requests have one id')
  let events: Event[] = []
  await until('all records are in the ledger', async () => {
    events = await askLines<Event>(['events', 'list', ...data])
    return events.length >= heard.length
  })
  assert.equal(events.length, heard.length, 'there is more than one record for a request')
  assert.deepEqual(new Set(events.map(({ event_id: id }) => id)), ids)
  assert.deepEqual(new Set(events.map(({ outcome }) => outcome)), new Set(['completed']))
}

test(
  'no request is refused, lost or counted twice while workers are replaced one after the other, and while another gateway takes over',
  { timeout: 300_000 },
  async () => {
    await using port = await startOnePort({ tokens: 20, tokenDelayMs: 5 })
    const first = await port.serve({ workers: 2, port: '0' })
    await until(
      'the key is known',
      async () => (await askOnce(first.url, { key: port.key, agent: new Agent(), stream: false })).status === 200,
    )
    const seenBefore = port.engine.totals.requests
    const stop = new AbortController()
    const loading = load(first.url, { key: port.key, clients: 16, signal: stop.signal })
    const before = childrenOf(first.running.pid)
    assert.equal(before.length, 2)

    first.running.kill('SIGUSR2')
    await until('the workers have been replaced', () => before.every((pid) => !lives(pid)))
    await until('there are two again', () => childrenOf(first.running.pid).length === 2)
    await until('it is ready', () => readyAt(first.metrics))

    // The same port for requests and for metrics.
    const portOf = (url: string): string => new URL(url).port
    const second = await port.serve({ workers: 3, port: portOf(first.url), opsPort: portOf(first.metrics) })
    assert.equal(second.url, first.url)
    const { code, stderr } = await first.running.ended
    assert.equal(code, 0, stderr)
    assert.ok(await readyAt(second.metrics))

    // And one process after several: it is handed their sockets.
    const third = await port.serve({ workers: 1, port: portOf(first.url), opsPort: portOf(first.metrics) })
    assert.equal((await second.running.ended).code, 0)
    assert.ok(await readyAt(third.metrics))
    const fourth = await port.serve({ workers: 2, port: portOf(first.url), opsPort: portOf(first.metrics) })
    assert.equal((await third.running.ended).code, 0)

    stop.abort()
    const heard = await loading
    assert.ok(heard.length > 1_000, `only ${heard.length} requests: the test did not test much`)
    fourth.running.kill('SIGTERM')
    assert.equal((await fourth.running.ended).code, 0)
    const extra = await extraOf(port, seenBefore)
    await assertAllTheSame(port, [...extra, ...heard])
  },
)

/** The records of what was asked before the load began. */
async function extraOf({ data, engine }: OnePort, count: number): Promise<Heard[]> {
  const events = await askLines<Event>(['events', 'list', ...data])
  const first = engine.seen.slice(0, count).map(({ requestId }) => requestId)
  return events.filter(({ event_id: id }) => first.includes(id)).map(({ event_id: eventId }) => ({ status: 200, eventId, whole: true }))
}

test('a stream that was open when another gateway took over ends as if nothing had happened', { timeout: 120_000 }, async () => {
  await using port = await startOnePort({ tokens: 60, tokenDelayMs: 100 })
  const first = await port.serve({ workers: 2, port: '0' })
  const agent = new Agent({ keepAlive: true })
  await until('the key is known', async () => {
    const { status } = await askOnce(first.url, { key: port.key, agent, stream: false })
    return status === 200
  })
  const streaming = askOnce(first.url, { key: port.key, agent, stream: true })
  const seen = port.engine.totals.requests
  await until('the stream is open', () => port.engine.totals.requests > seen)
  const second = await port.serve({ workers: 2, port: new URL(first.url).port })
  const { status, whole } = await streaming
  assert.deepEqual({ status, whole }, { status: 200, whole: true })
  assert.equal((await first.running.ended).code, 0)
  agent.destroy()
  second.running.kill('SIGTERM')
  assert.equal((await second.running.ended).code, 0)
})

test(
  'a worker that dies is replaced while the others serve, and one that dies again and again is named',
  { timeout: 120_000 },
  async () => {
    await using port = await startOnePort({ tokens: 5 })
    const { running, url, metrics } = await port.serve({ workers: 2, port: '0' })
    const agent = new Agent()
    await until('the key is known', async () => (await askOnce(url, { key: port.key, agent, stream: false })).status === 200)
    for (let death = 1; death <= 3; death += 1) {
      const [victim] = childrenOf(running.pid)
      assert.ok(victim)
      process.kill(victim, 'SIGKILL')
      await until('it is dead', () => !lives(victim))
      // Whoever is left takes its connections, before the new one is there.
      await until('it is noticed', () => running.stderr().split('died').length + running.stderr().split('dies').length >= death + 2)
      for (let i = 0; i < 20; i += 1) assert.equal((await askOnce(url, { key: port.key, agent, stream: false })).status, 200)
      await until('it is replaced', () => readyAt(metrics))
    }
    assert.match(running.stderr(), /died, and is started again/)
    const text = await (await fetch(`${metrics}/metrics`)).text()
    assert.match(text, /ascribe_gateway_worker_deaths_total\{worker="supervisor"\} 3/)
    assert.match(text, /process_start_time_seconds\{worker="0"\}/)
    assert.match(text, /process_start_time_seconds\{worker="1"\}/)
  },
)

test('no worker outlives the process that started it, however that ends', { timeout: 120_000 }, async () => {
  await using port = await startOnePort({ tokens: 200, tokenDelayMs: 100 })
  for (const [signals, code] of [
    [['SIGKILL'], null],
    [['SIGINT'], 0],
    [['SIGTERM', 'SIGTERM'], 0],
  ] as const) {
    const { running, url } = await port.serve({ workers: 2, port: '0' })
    const workers = childrenOf(running.pid)
    assert.equal(workers.length, 2)
    const agent = new Agent()
    const before = port.engine.totals.requests
    // Twenty seconds of it, for the second signal to cut; nothing is open for the first one.
    const open = signals.length === 2 ? askOnce(url, { key: port.key, agent, stream: true }) : undefined
    if (open !== undefined) await until('it is open', () => port.engine.totals.requests > before)
    running.kill(signals[0])
    if (signals[1] !== undefined) {
      // Within half a second it is the same wish: npm hands on a Ctrl-C that the terminal has sent already.
      await delay(700)
      running.kill(signals[1])
      assert.equal((await open)?.whole, false, 'the second signal did not cut')
    }
    assert.equal((await running.ended).code, code)
    await until('the workers have ended', () => workers.every((pid) => !lives(pid)))
    agent.destroy()
  }
})

test('up serves with workers too, and tells their metrics and health at its own port', { timeout: 120_000 }, async () => {
  using dir = temporaryDir()
  await using running = start(['up', '--port', '0', '--json', '--data', dir.path], { env: { ASCRIBE_GATEWAY_WORKERS: '2' } })
  const line = await running.firstLine
  assert.ok(line, 'up did not come up')
  const { gateway, metrics, key } = JSON.parse(line) as Ready
  const agent = new Agent()
  await until('the key is known', async () => (await askOnce(gateway, { key, agent, stream: true })).whole)
  const { checks } = (await (await fetch(`${metrics}/readyz`)).json()) as { checks: Record<string, { ok: boolean }> }
  assert.deepEqual([checks['worker 0']?.ok, checks['worker 1']?.ok], [true, true])
  assert.match(await (await fetch(`${metrics}/metrics`)).text(), /relay_connections\{worker="[01]"\}/)
  agent.destroy()
  running.kill('SIGTERM')
  assert.equal((await running.ended).code, 0, running.stderr())
})
