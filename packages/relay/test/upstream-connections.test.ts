import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { cannedUpstream, dial, OK, portOf, post, rawUpstream, startRelay, until } from './support.ts'
import type { Wire } from './support.ts'

/** Sends one request after the other, each when the one before it has been answered. */
async function askTimes(client: Wire, count: number): Promise<void> {
  for (let i = 1; i <= count; i += 1) {
    const before = client.text.split('\r\n\r\nok').length
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- one request after the other
    await until(`reply ${i} arrives`, () => client.text.split('\r\n\r\nok').length === before + 1)
  }
}

test('createRelay() uses the upstream connection that was used last', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const clients = await Promise.all([dial(t, port), dial(t, port), dial(t, port)])
  for (const client of clients) client.send(post('{}'))
  await until('all are up', () => upstream.wires.filter((wire) => wire.text.endsWith('{}')).length === 3)
  const [first, second, third] = upstream.wires
  for (const wire of [first, third, second]) {
    wire?.send(OK)
    // oxlint-disable-next-line no-await-in-loop -- the order is the point
    await until(
      'its client has the reply',
      () => clients.filter((client) => client.text.endsWith('ok')).length === [first, third, second].indexOf(wire) + 1,
    )
  }
  second?.socket.on('data', () => second.send(OK))
  await askTimes(clients[0] as Wire, 5)
  assert.equal(upstream.wires.length, 3)
  assert.equal(second?.text.split('POST ').length, 7)
})

test('createRelay() lets requests wait when connectionsMax are in use, and forgets who has left', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, recorders, relay } = await startRelay(t, {
    upstreamPort: upstream.port,
    upstream: { connectionsMax: 1 },
    plan: (recorder) => (recorder.drain = { ms: 0, bytes: 0 }),
  })
  const clients = await Promise.all([dial(t, port), dial(t, port), dial(t, port)])
  const [first, leaving, last] = clients as [Wire, Wire, Wire]
  first.send(post('first'))
  await until('the first is up', () => upstream.wires[0]?.text.endsWith('first') === true)
  leaving.send(post('leaving'))
  await until('the second waits', () => recorders.length === 2)
  last.send(post('last'))
  await until('the third waits', () => recorders.length === 3)
  leaving.socket.destroy()
  await until('the second has given up', () => recorders[1]?.over === true)
  upstream.wires[0]?.send(OK)
  await first.sees('ok')
  await until('the third is up', () => upstream.wires[0]?.text.endsWith('last') === true)
  upstream.wires[0]?.send(OK)
  await last.sees('ok')
  assert.doesNotMatch(upstream.wires[0]?.text ?? '', /leaving/)
  assert.equal(upstream.wires.length, 1)
  assert.equal(relay.open, 0)
})

test('createRelay() opens a connection for one who waits when the one in use breaks', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, upstream: { connectionsMax: 1 } })
  const [first, second] = (await Promise.all([dial(t, port), dial(t, port)])) as [Wire, Wire]
  first.send(post('first'))
  await until('the first is up', () => upstream.wires[0]?.text.endsWith('first') === true)
  second.send(post('second'))
  await until('the second waits', () => recorders.length === 2)
  upstream.wires[0]?.socket.resetAndDestroy()
  await first.sees('reset')
  await until('the second is up', () => upstream.wires[1]?.text.endsWith('second') === true)
  upstream.wires[1]?.send(OK)
  await second.sees('ok')
})

/** Replies after which a connection may not be used again, though the upstream leaves it open. */
const LAST_REPLIES: Readonly<Record<string, string>> = {
  'says Connection: close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
  'says close among others': 'HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok',
  'says close and then keep-alive': 'HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
  'is HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'is longer than it says': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!',
  'is followed by another': `${OK}${OK}`,
  'gives the connection no time': 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok',
}

for (const [what, reply] of Object.entries(LAST_REPLIES)) {
  test(`createRelay() uses an upstream connection no more after a reply that ${what}`, async (t) => {
    const upstream = await cannedUpstream(t, reply)
    const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
    const client = await dial(t, port)
    await askTimes(client, 3)
    assert.equal(upstream.wires.length, 3)
    assert.deepEqual(
      recorders.map(({ calls, bytes }) => [...calls, bytes]),
      [1, 2, 3].map(() => ['head', 'data', 'end', 2]),
    )
    await until('the connections are closed', () => upstream.wires.every((wire) => wire.ended || wire.closed))
  })
}

test('createRelay() finds an upstream by name, and at an address of IPv6', async (t) => {
  for (const [address, name] of [
    ['127.0.0.1', 'localhost'],
    ['::1', '[::1]'],
  ] as const) {
    const server = createServer((socket) => void socket.on('data', () => socket.write(OK)))
    server.listen(0, address)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const isHad = await new Promise<boolean>((resolve) => {
      server.once('listening', () => resolve(true))
      server.once('error', () => resolve(false))
    })
    // Not every machine has IPv6.
    if (!isHad) continue
    t.after(() => server.close())
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { port, relay } = await startRelay(t, { upstream: { origin: `http://${name}:${portOf(server)}` } })
    // oxlint-disable-next-line no-await-in-loop -- as above
    await askTimes(await dial(t, port), 2)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await relay.close({ graceMs: 0 })
  }
})

test('createRelay() keeps a connection to HTTP/1.0 that says keep-alive', async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  await askTimes(await dial(t, port), 3)
  assert.equal(upstream.wires.length, 1)
})

test('createRelay() never takes what an idle connection says for a reply', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  await askTimes(client, 1)
  const [idle] = upstream.wires
  idle?.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled')
  await until('the connection is closed', () => idle?.ended === true || idle?.closed === true)
  await askTimes(client, 1)
  assert.doesNotMatch(client.text, /smuggled/)
  assert.equal(upstream.wires.length, 2)
})

test("createRelay() fails with 'protocol' when interim replies do not end, or are no HTTP/1.1", async (t) => {
  for (const reply of ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(40), 'HTTP/1.0 100 Continue\r\n\r\n']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const upstream = await cannedUpstream(t, `${reply}${OK}`)
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
    // oxlint-disable-next-line no-await-in-loop -- as above
    const client = await dial(t, port)
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.sees('protocol')
    assert.deepEqual(recorders[0]?.kinds, ['protocol'])
  }
})

test('createRelay() passes on a reply that overtakes its request, and uses that connection no more', async (t) => {
  const upstream = await rawUpstream(t, (wire) => {
    wire.socket.once('data', () => {
      wire.socket.pause()
      wire.send(OK)
    })
  })
  const { port, recorders, relay } = await startRelay(t, { upstreamPort: upstream.port, bodyBytesMax: 60_000_000 })
  const client = await dial(t, port)
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n`)
  client.send(Buffer.alloc(50_000_000))
  await client.sees('\r\n\r\nok')
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
  assert.equal(relay.open, 0)
  const first = upstream.wires[0]
  await askTimes(client, 1)
  assert.equal(upstream.wires.length, 2)
  first?.socket.resume()
  await until('the connection is closed', () => first?.ended === true || first?.closed === true)
})

test('createRelay() sends a long body no faster than the upstream takes it', async (t) => {
  const upstream = await rawUpstream(t, (wire) => wire.socket.once('data', () => wire.socket.pause()))
  const { port } = await startRelay(t, { upstreamPort: upstream.port, bodyBytesMax: 60_000_000, bodyBytesHeldMax: 60_000_000 })
  const body = Buffer.alloc(50_000_000, 'abcdefghijklmnopqrstuvwxyz')
  const client = await dial(t, port)
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
  client.send(body)
  await until('it has begun', () => upstream.wires[0]?.socket.isPaused() === true)
  // What the upstream has not taken is still held, so that there is no room for another like it.
  const other = await dial(t, port)
  other.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
  other.send(body)
  await other.sees('overloaded')
  const [wire] = upstream.wires
  wire?.socket.resume()
  await until('all has come', () => wire !== undefined && wire.bytes.length > body.length)
  assert.ok(wire?.bytes.subarray(-body.length).equals(body))
  wire?.send(OK)
  await client.sees('\r\n\r\nok')
})

test('createRelay() does not take it for silence of the upstream when the client does not read', async (t) => {
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.on('data', (request: Buffer) => {
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n')
      if (!request.includes('silent')) wire.send(Buffer.alloc(20_000_000))
    }),
  )
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, upstream: { idleTimeoutMs: 200 } })
  const slow = await dial(t, port)
  slow.socket.pause()
  slow.send(post('{}'))
  await until('it has begun', () => (recorders[0]?.bytes ?? 0) > 0)
  // Three time-outs one after the other show that time enough has passed.
  for (let i = 1; i <= 3; i += 1) {
    // oxlint-disable-next-line no-await-in-loop -- as said
    const other = await dial(t, port)
    other.send(post('silent'))
    // oxlint-disable-next-line no-await-in-loop -- as said
    await until('the other upstream has been silent for too long', () => recorders[i]?.over === true)
    assert.deepEqual(recorders[i]?.kinds, ['idle_timeout'])
  }
  slow.socket.resume()
  await until('the slow one has it all', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
})

test('createRelay() does not take it for silence of the upstream when the machine has no time for the relay', async (t) => {
  const bytes = 20_000_000
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.on('data', () => {
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`)
      wire.send(Buffer.alloc(bytes))
    }),
  )
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, upstream: { idleTimeoutMs: 100 } })
  const client = await dial(t, port)
  client.send(post('{}'))
  for (let part = 1; part <= 3; part += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await until(`part ${part} has come`, () => (recorders[0]?.bytes ?? 0) > part * 3_000_000)
    const end = performance.now() + 300
    while (performance.now() < end) {
      // Stands still, and the upstream does not.
    }
  }
  await until('it has all', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
})
