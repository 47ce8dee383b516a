import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { RESENDS_MAX, endToEndHeaders } from '../src/index.ts'
import type { Resend, Retry, Setback } from '../src/index.ts'
import { OK, cannedUpstream, dial, listen, portOf, post, rawUpstream, Recorder, startRelay, until } from './support.ts'
import type { TestRelayOptions } from './support.ts'

const originOf = (port: number): string => `http://127.0.0.1:${port}`
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy'

type Tried = { readonly setbacks: Setback[]; readonly recorder: Recorder; readonly port: number; readonly close: () => Promise<void> }

/** A relay whose requests go to the first of `ports`, and to each next one for as long as `wants` says so. */
async function startRetrying(
  t: TestContext,
  ports: readonly number[],
  options: {
    readonly wants?: (setback: Setback) => boolean
    readonly until?: Retry['until']
    readonly relay?: TestRelayOptions
  } = {},
): Promise<Tried> {
  const setbacks: Setback[] = []
  const recorder = new Recorder()
  const resendOf = (at: number): Resend => ({ upstream: { origin: originOf(ports[at] ?? 9) }, target: `/try-${at}`, headers: [] })
  const { port, relay } = await startRelay(t, {
    ...options.relay,
    verdict: (head) => ({
      kind: 'read',
      bodyBytesMax: 10_000_000,
      decide: (body) => ({
        kind: 'forward',
        ...resendOf(0),
        headers: endToEndHeaders(head.headers),
        method: head.method,
        body: [body],
        ready: Promise.resolve(),
        exchange: head.target === '/other' ? new Recorder() : recorder,
        retry: {
          until: options.until ?? 'head',
          next: (setback) => {
            setbacks.push(setback)
            if (options.wants?.(setback) === false || setbacks.length >= ports.length) return undefined
            return resendOf(setbacks.length)
          },
        },
      }),
    }),
  })
  return { setbacks, recorder, port, close: () => relay.close({ graceMs: 0 }) }
}

async function closedPort(t: TestContext): Promise<number> {
  const server = createServer()
  await listen(t, server)
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('createRelay() sends a request elsewhere, byte for byte, when nobody takes the connection, and tells of one reply', async (t) => {
  const second = await cannedUpstream(t, OK)
  const { port, recorder, setbacks } = await startRetrying(t, [await closedPort(t), second.port])
  const client = await dial(t, port)
  const body = 'x'.repeat(300_000)
  client.send(post(body))
  await client.sees('ok')
  assert.deepEqual(
    setbacks.map(({ kind }) => kind),
    ['connect', 'status'],
  )
  assert.deepEqual(recorder.calls, ['head', 'data', 'end'])
  const wire = second.wires[0]
  assert.match(wire?.text ?? '', /^POST \/try-1 HTTP\/1\.1\r\n/)
  assert.ok(wire?.text.endsWith(`\r\n\r\n${body}`))
})

test('createRelay() never shows a client, or an exchange, anything of a reply that it gave up', async (t) => {
  const first = await cannedUpstream(t, BUSY)
  const second = await cannedUpstream(t, OK)
  const { port, recorder, setbacks } = await startRetrying(t, [first.port, second.port])
  const client = await dial(t, port)
  client.send(post('{"a":1}'))
  await client.sees('ok')
  assert.deepEqual(
    setbacks.map((each) => (each.kind === 'status' ? each.status : each.kind)),
    [503, 200],
  )
  assert.ok(!client.text.includes('busy') && !client.text.includes('503'))
  assert.equal(recorder.status, 200)
  await first.wires[0]?.isClosed()
})

test('createRelay() gives a refused setback to the exchange as it would without a retry', async (t) => {
  const first = await cannedUpstream(t, BUSY)
  const second = await cannedUpstream(t, OK)
  const { port, recorder } = await startRetrying(t, [first.port, second.port], { wants: () => false })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('busy')
  assert.equal(recorder.status, 503)
  assert.equal(second.wires.length, 0)
})

test('createRelay() never sends a request again once the exchange has been given a head', async (t) => {
  const first = await rawUpstream(t, (wire) => {
    wire.socket.once('data', () => {
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
      setImmediate(() => wire.socket.resetAndDestroy())
    })
  })
  const second = await cannedUpstream(t, OK)
  const { port, recorder, setbacks } = await startRetrying(t, [first.port, second.port], { wants: ({ kind }) => kind !== 'status' })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the exchange is over', () => recorder.over)
  assert.deepEqual(recorder.kinds, ['reply_reset'])
  assert.deepEqual(
    setbacks.map(({ kind }) => kind),
    ['status'],
  )
  assert.equal(second.wires.length, 0)
})

test('createRelay() never sends a request again for a client that has left', async (t) => {
  const first = await rawUpstream(t, () => {})
  const second = await cannedUpstream(t, OK)
  const { port, recorder, setbacks } = await startRetrying(t, [first.port, second.port])
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the first upstream has the request', () => first.wires[0]?.text.includes('{}') === true)
  client.socket.resetAndDestroy()
  await until('the exchange knows', () => recorder.calls.includes('gone'))
  first.wires[0]?.socket.resetAndDestroy()
  await until('the exchange is over', () => recorder.over)
  assert.deepEqual(recorder.kinds, ['drain_exceeded'])
  assert.deepEqual(setbacks, [])
  assert.equal(second.wires.length, 0)
})

test('createRelay() never sends a request again while it closes', async (t) => {
  const first = await rawUpstream(t, () => {})
  const second = await cannedUpstream(t, OK)
  const { port, recorder, setbacks, close } = await startRetrying(t, [first.port, second.port])
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the first upstream has the request', () => first.wires[0]?.text.includes('{}') === true)
  await close()
  assert.deepEqual(recorder.kinds, ['shutdown'])
  assert.deepEqual(setbacks, [])
  assert.equal(second.wires.length, 0)
})

test('createRelay() sends no request more often than RESENDS_MAX times again, whatever it is told', async (t) => {
  const busy = await cannedUpstream(t, BUSY)
  const { port, recorder, setbacks } = await startRetrying(
    t,
    Array.from({ length: 20 }, () => busy.port),
  )
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('busy')
  assert.equal(setbacks.length, RESENDS_MAX)
  assert.equal(busy.wires.length, RESENDS_MAX + 1)
  assert.deepEqual(recorder.calls, ['head', 'data', 'end'])
})

test('createRelay() lets a setback stand when deciding about it throws', async (t) => {
  const { port, recorder } = await startRetrying(t, [await closedPort(t), await closedPort(t)], {
    wants: () => {
      throw new Error('a bug')
    },
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('502')
  assert.deepEqual(recorder.kinds, ['connect'])
})

test('createRelay() fails with what the last upstream did when none serves, and ends the exchange once', async (t) => {
  const slammed = await rawUpstream(t, (wire) => wire.socket.once('data', () => wire.socket.resetAndDestroy()))
  const { port, recorder } = await startRetrying(t, [await closedPort(t), await closedPort(t), slammed.port])
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('502')
  assert.deepEqual(recorder.calls, ['fail'])
  assert.deepEqual(recorder.kinds, ['reset'])
})

test('createRelay() holds the body of a request only for as long as it may be sent again', async (t) => {
  const first = await rawUpstream(t, () => {})
  const { port } = await startRetrying(t, [first.port, first.port], {
    wants: () => false,
    relay: { bodyBytesHeldMax: 100_000 },
  })
  const client = await dial(t, port)
  client.send(post('a'.repeat(80_000)))
  await until('the upstream has all of it', () => (first.wires[0]?.text.length ?? 0) > 80_000)
  const early = await dial(t, port)
  early.send(post('b'.repeat(80_000)))
  await early.sees('overloaded')
  // The head has come: it stays where it is, although its reply goes on.
  first.wires[0]?.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  await client.sees('half')
  const late = await dial(t, port)
  late.send(post('c'.repeat(80_000)).replace('/v1/x', '/other'))
  await until('the upstream has the other one too', () => (first.wires[1]?.text.length ?? 0) > 80_000)
})

test('createRelay() lets a body go as soon as it was sent where only what nobody took is sent again, and never repeats it then', async (t) => {
  const first = await rawUpstream(t, () => {})
  const second = await cannedUpstream(t, OK)
  const { port, recorder, setbacks } = await startRetrying(t, [first.port, second.port], {
    until: 'sent',
    relay: { bodyBytesHeldMax: 100_000 },
  })
  const client = await dial(t, port)
  client.send(post('a'.repeat(80_000)))
  await until('the upstream has all of it', () => (first.wires[0]?.text.length ?? 0) > 80_000)
  const other = await dial(t, port)
  other.send(post('b'.repeat(80_000)).replace('/v1/x', '/other'))
  await until('the upstream has the other one too', () => (first.wires[1]?.text.length ?? 0) > 80_000)
  first.wires[0]?.socket.resetAndDestroy()
  await client.sees('502')
  assert.deepEqual(recorder.kinds, ['reset'])
  assert.deepEqual(setbacks, [])
  assert.equal(second.wires.length, 0)
})
