import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { LogFields, Logger } from '@ascribe/kit'
import type { Sink } from '../src/index.ts'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, textReply, until } from './support.ts'
import type { Recorder } from './support.ts'

async function turns(): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- enough turns for anything that was going to be written
  for (let i = 0; i < 20; i += 1) await turn()
}

/** Holds the end back behind `gate`, as one does who settles first. */
function holdEnd(recorder: Recorder, gate: Promise<void>): void {
  recorder.onEnd = (sink) => {
    sink.barrier(gate)
    sink.end()
  }
}

test('sink.barrier() holds what comes after it until it resolves', async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n')
  const gate = Promise.withResolvers<void>()
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port, plan: (recorder) => holdEnd(recorder, gate.promise) })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('body')
  await until('the exchange is over', () => recorders[0]?.over === true)
  await turns()
  assert.doesNotMatch(client.text, /0\r\n\r\n$/)
  gate.resolve()
  await client.sees('0\r\n\r\n')
})

test('sink.barrier() holds the head too, and sends a small reply in one piece', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const gate = Promise.withResolvers<void>()
  const held: Buffer[] = []
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.onData = (chunk) => held.push(chunk)
      recorder.onEnd = (sink) => {
        sink.barrier(gate.promise)
        for (const chunk of held) sink.write(chunk)
        sink.end()
      }
    },
  })
  const client = await dial(t, port)
  const pieces: string[] = []
  client.socket.on('data', (chunk: Buffer) => pieces.push(String(chunk)))
  client.send(post('{}'))
  await until('the exchange is over', () => recorders[0]?.over === true)
  await turns()
  assert.equal(client.text, '')
  gate.resolve()
  await client.sees('ok')
  assert.equal(pieces.length, 1)
})

test('sink.barrier() resets the client when it rejects, and says so once', async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n')
  const full = new Error('disk full')
  const gate = Promise.withResolvers<void>()
  const errors: (LogFields | undefined)[] = []
  const nothing = (): void => {}
  const logger: Logger = {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (_message, fields) => errors.push(fields),
    child: () => logger,
  }
  const { port, recorders, relay } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => holdEnd(recorder, gate.promise),
    logger,
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('body')
  await until('the exchange is over', () => recorders[0]?.over === true)
  gate.reject(full)
  await client.isClosed()
  assert.equal(client.error, 'ECONNRESET')
  assert.deepEqual(errors, [{ error: full }])
  assert.deepEqual(recorders[0]?.calls, ['head', 'data', 'end'])
  assert.equal(relay.open, 0)
})

test('sink.barrier() keeps the order of several barriers, writes and the end', async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n')
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const { port } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.onEnd = (sink) => {
        gates.forEach((gate, i) => {
          sink.barrier(gate.promise)
          sink.write(Buffer.from(`after ${i}`))
        })
        sink.end()
      }
    },
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('\r\n0\r\n')
  gates[1].resolve()
  await turns()
  assert.doesNotMatch(client.text, /after/)
  gates[0].resolve()
  await client.sees('0\r\n\r\n')
  assert.match(client.text, /after 0[^]*after 1/)
})

test('sink.barrier() may stand before a reply of our own', async (t) => {
  const upstream = await rawUpstream(t, (wire) => wire.socket.on('data', () => wire.socket.destroy()))
  const gate = Promise.withResolvers<void>()
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.onFail = (_failure, sink) => {
        sink.barrier(gate.promise)
        sink.reply(textReply(502, 'sorry'))
      }
    },
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the exchange is over', () => recorders[0]?.over === true)
  await turns()
  assert.equal(client.text, '')
  gate.resolve()
  await client.sees('sorry')
  assert.match(client.text, /^HTTP\/1\.1 502 /)
})

test('sink.barrier() pauses the upstream when too much waits behind it', async (t) => {
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.on('data', () => {
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n')
      wire.send(Buffer.alloc(40_000_000))
    }),
  )
  const gate = Promise.withResolvers<void>()
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.onHead = (status, headers) => ({ status, headers })
      let first = true
      recorder.onData = (chunk, sink) => {
        if (first) sink.barrier(gate.promise)
        first = false
        sink.write(chunk)
      }
    },
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the queue is full', () => (recorders[0]?.bytes ?? 0) > 262_144)
  await turns()
  assert.ok((recorders[0]?.bytes ?? 0) < 600_000, `only a little more is read: ${recorders[0]?.bytes}`)
  gate.resolve()
  await until('all has come', () => recorders[0]?.bytes === 40_000_000)
  await until('the client has it all', () => client.bytes.length > 40_000_000)
})

test('sink methods are harmless once the client has gone', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  let late: Sink | undefined
  const { port, recorders, relay } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.drain = { ms: 0, bytes: 0 }
      recorder.onFail = (_failure, sink) => (late = sink)
    },
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the request reaches the upstream', () => upstream.wires[0]?.text.endsWith('{}') === true)
  client.socket.destroy()
  await until('the exchange is over', () => recorders[0]?.over === true)
  late?.write(Buffer.from('x'))
  late?.barrier(Promise.resolve())
  late?.barrier(Promise.reject(new Error('late')))
  late?.reply(textReply(500, 'x'))
  late?.end()
  late?.reset()
  assert.equal(late?.headSent, false)
  assert.equal(relay.open, 0)
})

test('an exchange that breaks the rules costs its client the connection, not the relay its life', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const plans: ((recorder: Recorder) => void)[] = [
    (recorder) => (recorder.onEnd = () => {}),
    (recorder) => (recorder.onEnd = (sink) => sink.reply(textReply(200, 'late'))),
    (recorder) => (recorder.onData = (chunk, sink) => sink.write(Buffer.concat([chunk, chunk]))),
    (recorder) => (recorder.onData = () => {}),
    (recorder) => {
      recorder.onData = () => {
        throw new Error('bug')
      }
    },
    (recorder) => {
      recorder.onHead = () => {
        throw new Error('bug')
      }
    },
    (recorder) => {
      recorder.onEnd = () => {
        throw new Error('bug')
      }
    },
    (recorder) => (recorder.onHead = (status) => ({ status, headers: ['X-A', 'b\r\nX-Injected: 1'] })),
    (recorder) => (recorder.onHead = (status) => ({ status, headers: ['X-A', 'b\u010aX-Injected: 1'] })),
    (recorder) => (recorder.onHead = (status) => ({ status, headers: ['X-A: b\r\nX-Injected', '1'] })),
    (recorder) => (recorder.onHead = () => ({ status: 99, headers: [] })),
    (recorder) => (recorder.onHead = (status) => ({ status, headers: ['Content-Length', '2, 2'] })),
    (recorder) => {
      recorder.onHead = (status) => ({ status, headers: [] })
      recorder.onData = () => {}
      recorder.onEnd = (sink) => {
        sink.barrier(Promise.resolve())
        sink.reply({ status: 200, headers: ['X-A', 'b\r\nX-Injected: 1'], body: '' })
      }
    },
  ]
  let next = 0
  const { port, relay, recorders } = await startRelay(t, { upstreamPort: upstream.port, plan: (recorder) => plans[next]?.(recorder) })
  for (; next < plans.length; next += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const client = await dial(t, port)
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.isClosed()
    const ends = recorders[next]?.calls.filter((call) => call === 'end' || call === 'fail').length
    assert.equal(ends, 1, `plan ${next}`)
    assert.equal(relay.open, 0)
    assert.doesNotMatch(client.text, /Injected/, `plan ${next}`)
  }
})

test('a verdict that cannot be written costs its client the connection, not the relay its life', async (t) => {
  const { port } = await startRelay(t, {
    verdict: ({ target }) => ({
      kind: 'reply',
      reply: { status: 200, headers: target === '/bad' ? ['X-A', 'b\r\nX-Injected: 1'] : [], body: 'fine' },
    }),
  })
  const client = await dial(t, port)
  client.send('GET /bad HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.isClosed()
  assert.equal(client.text, '')
  const next = await dial(t, port)
  next.send('GET /good HTTP/1.1\r\nHost: a\r\n\r\n')
  await next.sees('fine')
})
