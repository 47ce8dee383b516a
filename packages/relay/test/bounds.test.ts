import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Counter, Gauge, Meters } from '@ascribe/kit'
import { silentMeters } from '@ascribe/kit'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, until, Wire } from './support.ts'

/** The last value of a gauge and the sum of a counter, by name and labels. */
function countingMeters(): { readonly meters: Meters; readonly values: Map<string, number> } {
  const values = new Map<string, number>()
  const keyOf = (name: string, labels: object = {}): string => [name, ...Object.values(labels)].join(' ')
  return {
    values,
    meters: {
      ...silentMeters,
      counter: (name): Counter => ({
        add: (amount = 1, labels = {}) => void values.set(keyOf(name, labels), (values.get(keyOf(name, labels)) ?? 0) + amount),
      }),
      gauge: (name): Gauge => ({ set: (value, labels = {}) => void values.set(keyOf(name, labels), value) }),
    },
  }
}

async function isRefused(client: Wire, status: number, why: string): Promise<void> {
  await until('the connection ends', () => client.ended || client.closed)
  assert.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `))
  assert.match(client.text, new RegExp(`${why}$`))
}

test('createRelay() never holds more connections than connectionsMax but for a word of refusal, and takes new ones as old ones go', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { meters, values } = countingMeters()
  const { port } = await startRelay(t, { connectionsMax: 10, upstreamPort: upstream.port, meters })
  const clients: Wire[] = []
  for (let i = 0; i < 10; i += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that their order is known
    clients.push(await dial(t, port))
  }
  await until('all are in', () => values.get('relay_connections') === 10)
  const eleventh = await dial(t, port)
  await until('the eleventh is refused', () => eleventh.text !== '')
  // The twelfth comes while the eleventh lingers: beyond a tenth more nobody gets a word.
  const twelfth = new Wire(connect({ port, host: '127.0.0.1' }))
  await until('the twelfth is cut off', () => twelfth.closed)
  assert.equal(twelfth.text, '')
  assert.equal(twelfth.error, 'ECONNRESET')
  await isRefused(eleventh, 503, 'too_many_connections')
  assert.equal(values.get('relay_refusals_total too_many_connections'), 1)
  assert.equal(values.get('relay_connections_dropped_total'), 1)
  eleventh.socket.destroy()
  clients[0]?.socket.destroy()
  await until('two have gone', () => values.get('relay_connections') === 9)
  const next = await dial(t, port)
  next.send(post('{}'))
  await next.sees('\r\n\r\nok')
  clients[5]?.send(post('{}'))
  await clients[5]?.sees('\r\n\r\nok')
})

test('one address never takes more than peerConnectionsMax, and leaves the rest to others', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { meters, values } = countingMeters()
  const { port } = await startRelay(t, { meters, host: '0.0.0.0', peerConnectionsMax: 2, upstreamPort: upstream.port })
  const greedy = [await dial(t, port), await dial(t, port)]
  const third = await dial(t, port)
  await isRefused(third, 503, 'too_many_connections')
  third.socket.destroy()
  const other = await dial(t, port, '127.0.0.2')
  other.send(post('{}'))
  await other.sees('\r\n\r\nok')
  greedy[0]?.socket.destroy()
  await until('it has gone', () => values.get('relay_connections') === 2)
  const again = await dial(t, port)
  again.send(post('{}'))
  await again.sees('\r\n\r\nok')
})

test('no more than waitingMax requests wait for an upstream: the next one fails with busy and was never sent', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, upstream: { connectionsMax: 1, waitingMax: 2 } })
  const clients = await Promise.all([0, 1, 2].map(() => dial(t, port)))
  for (const [index, client] of clients.entries()) {
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- so that they wait in a known order
    await until('it is in', () => recorders.length === index + 1)
  }
  await until('the first is up', () => upstream.wires[0]?.text.endsWith('{}') === true)
  const late = await dial(t, port)
  late.send(post('{}'))
  await late.sees('busy')
  assert.deepEqual(recorders[3]?.kinds, ['busy'])
  assert.equal(recorders[3]?.failures[0]?.sent, false)
  // Whoever leaves gives its place to the next one.
  clients[1]?.socket.destroy()
  await until('it has left', () => recorders[1]?.over === true || recorders[1]?.calls.includes('gone') === true)
  const next = await dial(t, port)
  next.send(post('{}'))
  await until('the next is in', () => recorders.length === 5)
  upstream.wires[0]?.send(OK)
  await clients[0]?.sees('\r\n\r\nok')
  assert.equal(upstream.wires.length, 1)
  assert.deepEqual(recorders[4]?.kinds, [])
})

test('nobody waits for a connection to an upstream longer than waitTimeoutMs', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, upstream: { connectionsMax: 1, waitTimeoutMs: 50 } })
  const [first, second] = [await dial(t, port), await dial(t, port)]
  first.send(post('{}'))
  await until('the first is up', () => upstream.wires[0]?.text.endsWith('{}') === true)
  second.send(post('{}'))
  await second.sees('busy')
  assert.deepEqual(recorders[1]?.kinds, ['busy'])
  upstream.wires[0]?.send(OK)
  await first.sees('\r\n\r\nok')
})

test('a body that does not keep up with bodyRateMin is refused long before bodyTimeoutMs, and one that does is not', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, relay } = await startRelay(t, {
    upstreamPort: upstream.port,
    headTimeoutMs: 50,
    bodyTimeoutMs: 600_000,
    bodyGraceMs: 100,
    bodyRateMin: 1_000,
  })
  const drip = await dial(t, port)
  drip.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  const steady = await dial(t, port)
  steady.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
  steady.send('x'.repeat(999_999))
  const dripping = setInterval(() => drip.send('1;a=b\r\nx\r\n'), 20)
  t.after(() => clearInterval(dripping))
  await isRefused(drip, 408, 'request_timeout')
  clearInterval(dripping)
  steady.send('x')
  await steady.sees('\r\n\r\nok')
  assert.equal(relay.open, 0)
})

test('createRelay() takes no more than 128 fields in a head', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, heads } = await startRelay(t, { upstreamPort: upstream.port })
  const fields = (count: number): string => Array.from({ length: count }, (_none, at) => `X-${at}: y\r\n`).join('')
  const client = await dial(t, port)
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields(127)}\r\n`)
  await client.sees('\r\n\r\nok')
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n${fields(128)}\r\n`)
  await client.sees('headers_too_large')
  assert.equal(heads.length, 1)
})

for (const [what, reply] of [
  ['has more than 256 fields', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${'X: y\r\n'.repeat(256)}\r\nok`],
  ['has a head of more than 64 KiB', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ${'y'.repeat(70_000)}\r\n\r\nok`],
  ['says more than 32 times that it will come', `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(33)}${OK}`],
  ['has an interim head without end', `HTTP/1.1 103 Early Hints\r\n${'Link: </a>\r\n'.repeat(7_000)}`],
  [
    'has more than 16 KiB of trailers',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${'A: bcdef\r\n'.repeat(2_000)}\r\n`,
  ],
  [
    'has more than 16 KiB of chunk extensions',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(17_000)}\r\nok\r\n0\r\n\r\n`,
  ],
] as const) {
  test(`a reply that ${what} is a fault of its upstream, and is not held`, async (t) => {
    const upstream = await cannedUpstream(t, reply)
    const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
    const client = await dial(t, port)
    client.send(post('{}'))
    await until('it has failed', () => recorders[0]?.over === true)
    assert.deepEqual(recorders[0]?.kinds, ['protocol'])
    await until('the connection to it is closed', () => upstream.wires[0]?.ended === true || upstream.wires[0]?.closed === true)
  })
}

for (const [what, body] of [
  ['trailers', `2\r\n{}\r\n0\r\n${'A: bcdef\r\n'.repeat(2_000)}\r\n`],
  ['chunk extensions', `2;${'a'.repeat(17_000)}\r\n{}\r\n0\r\n\r\n`],
  ['chunk extensions of many chunks', `${'1;abcdefgh\r\nx\r\n'.repeat(2_000)}0\r\n\r\n`],
] as const) {
  test(`a request with more than 16 KiB of ${what} is refused`, async (t) => {
    const upstream = await cannedUpstream(t, OK)
    const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
    const client = await dial(t, port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
    await isRefused(client, 400, 'bad_request')
    assert.equal(recorders.length, 0)
  })
}
