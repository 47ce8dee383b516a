import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, until } from './support.ts'

test('createRelay() forwards a request and its reply', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, recorders, relay } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('hello', 'X-One: 1\r\n'))
  await client.sees('ok')
  assert.match(client.text, /^HTTP\/1\.1 200 OK\r\nContent-Length: 2\r\n/)
  const [wire] = upstream.wires
  assert.equal(
    wire?.text,
    `POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:${upstream.port}\r\nconnection: keep-alive\r\nX-One: 1\r\ncontent-length: 5\r\n\r\nhello`,
  )
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
  assert.equal(relay.open, 0)
})

test('createRelay() gives each piece of a stream to the client before the next one is sent', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the request reaches the upstream', () => upstream.wires[0]?.text.endsWith('{}') === true)
  const [wire] = upstream.wires
  wire?.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  await client.sees('\r\n\r\n')
  for (const piece of ['one', 'two', 'three']) {
    wire?.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
    // oxlint-disable-next-line no-await-in-loop -- the next piece must not be sent before this one has arrived
    await client.sees(piece)
  }
  wire?.send('0\r\n\r\n')
  await client.sees('0\r\n\r\n')
})

test('createRelay() leaves no listener and no timer behind a request on a connection that goes on', async (t) => {
  const warnings: string[] = []
  const warned = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', warned)
  t.after(() => process.off('warning', warned))
  const upstream = await cannedUpstream(t, OK)
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  const timersAfter: number[] = []
  for (let i = 1; i <= 40; i += 1) {
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- one request after the other
    await until(`reply ${i} arrives`, () => client.text.split('\r\n\r\nok').length === i + 1 && recorders.length === i)
    timersAfter.push(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length)
  }
  assert.deepEqual(warnings, [], 'node warns of eleven listeners')
  assert.ok((timersAfter.at(-1) ?? 0) <= (timersAfter[2] ?? 0) + 1, `timers: ${timersAfter.join(' ')}`)
})

test('createRelay() holds no more memory for a body than it counts', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port, bodies } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('small'))
  await client.sees('ok')
  assert.equal(String(bodies[0]), 'small')
  assert.ok((bodies[0]?.buffer.byteLength ?? 0) <= 8_192, `${bodies[0]?.buffer.byteLength} bytes behind a body of 5`)
})
