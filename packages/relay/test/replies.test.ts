import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cannedUpstream, dial, OK, post, rawUpstream, startRelay, until } from './support.ts'

test('createRelay() keeps order, case and repetition of the fields of a reply', async (t) => {
  const fields = 'X-B: 1\r\nset-cookie: a=1\r\nDATE: Sat, 01 Jan 2000 00:00:00 GMT\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\nx-é: \xe9'
  const upstream = await cannedUpstream(t, Buffer.from(`HTTP/1.1 201 Whatever\r\n${fields.replace('x-é', 'x-a')}\r\n\r\nok`, 'latin1'))
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('\r\n\r\nok')
  const expected = `HTTP/1.1 201 Created\r\n${fields.replace('x-é', 'x-a')}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=600\r\n\r\nok`
  assert.equal(client.text, expected)
})

test('createRelay() removes the hop-by-hop fields of a reply before its exchange sees them', async (t) => {
  const upstream = await cannedUpstream(
    t,
    'HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: x\r\nContent-Length: 2\r\n\r\nok',
  )
  const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('ok')
  assert.deepEqual(recorders[0]?.headers, ['Content-Length', '2'])
  assert.doesNotMatch(client.text, /hop|timeout=9|Proxy/i)
})

test('a field of a reply is never taken for a transfer coding because its name is as long', async (t) => {
  const upstream = await cannedUpstream(t, 'HTTP/1.1 200 OK\r\nProxy-Hop-Field-A: chunked\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await startRelay(t, { upstreamPort: upstream.port })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('\r\n\r\nok')
  assert.doesNotMatch(client.text, /Proxy/i)
})

test('createRelay() sends chunks when the exchange drops content-length', async (t) => {
  const upstream = await cannedUpstream(t, OK)
  const { port } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => (recorder.onHead = (status) => ({ status, headers: [] })),
  })
  const client = await dial(t, port)
  client.send(post('{}'))
  await client.sees('2\r\nok\r\n0\r\n\r\n')
  assert.match(client.text, /\r\nTransfer-Encoding: chunked\r\n/)
})

test('createRelay() relays replies that have no body', async (t) => {
  const cases: readonly (readonly [request: string, reply: string])[] = [
    ['HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'],
    ['HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: "x"\r\n\r\n'],
    ['DELETE / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ]
  for (const [request, reply] of cases) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const upstream = await cannedUpstream(t, reply)
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { port, recorders } = await startRelay(t, { upstreamPort: upstream.port })
    // oxlint-disable-next-line no-await-in-loop -- as above
    const client = await dial(t, port)
    client.send(request)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.sees('\r\n\r\n')
    // The next reply of the connection is read where the first one ends.
    client.send(request)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until('the second reply arrives', () => client.text.split('HTTP/1.1 ').length === 3)
    assert.match(client.text.split('HTTP/1.1 ')[1] ?? '', /\r\n\r\n$/, request)
    assert.deepEqual(recorders[0]?.calls, ['head', 'end'], request)
    if (reply.includes('1234')) assert.match(client.text, /\r\nContent-Length: 1234\r\n/)
  }
})

test('createRelay() passes a body unchanged, however both sides cut it', async (t) => {
  let pieces: readonly Uint8Array[] = []
  let chunked = false
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.on('data', () => {
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
      wire.send(`HTTP/1.1 200 OK\r\n${chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`}\r\n\r\n`)
      for (const piece of pieces) {
        if (piece.length === 0) continue
        if (chunked) wire.send(`${piece.length.toString(16)}\r\n`)
        wire.send(Buffer.from(piece))
        if (chunked) wire.send('\r\n')
      }
      if (chunked) wire.send('0\r\n\r\n')
    }),
  )
  const got: Buffer[] = []
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.onData = (chunk, sink) => {
        got.push(chunk)
        sink.write(chunk)
      }
    },
  })
  const client = await dial(t, port)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), fc.boolean(), async (cut, asChunks) => {
      pieces = cut
      chunked = asChunks
      got.length = 0
      const before = recorders.length
      const read = client.bytes.length
      client.send(post('{}'))
      await until('the exchange is over', () => recorders[before]?.over === true)
      const whole = Buffer.concat(pieces)
      assert.deepEqual(Buffer.concat(got), whole)
      await until('the client has it all', () => {
        const reply = client.bytes.subarray(read)
        const head = reply.indexOf('\r\n\r\n') + 4
        return head > 3 && (chunked ? reply.subarray(-5).equals(Buffer.from('0\r\n\r\n')) : reply.length === head + whole.length)
      })
      const reply = client.bytes.subarray(read)
      assert.deepEqual(deframed(reply.subarray(reply.indexOf('\r\n\r\n') + 4), chunked), whole)
    }),
    { numRuns: 40 },
  )
})

test('createRelay() sends a request body unchanged, short or long, in one buffer or several', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const { port } = await startRelay(t, { upstreamPort: upstream.port, bodyBytesMax: 10_000_000 })
  for (const size of [0, 1, 65_536, 65_537, 3_000_001]) {
    const body = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const client = await dial(t, port)
    client.send(`POST /${size} HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
    client.send(body)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until('the upstream has it all', () => {
      const wire = upstream.wires.at(-1)
      return wire?.text.startsWith(`POST /${size} `) === true && wire.bytes.length === wire.bytes.indexOf('\r\n\r\n') + 4 + size
    })
    const wire = upstream.wires.at(-1)
    assert.ok(wire)
    assert.match(wire.text.slice(0, 300), new RegExp(`\r\ncontent-length: ${size}\r\n`))
    assert.ok(wire.bytes.subarray(wire.bytes.indexOf('\r\n\r\n') + 4).equals(body))
    client.socket.destroy()
  }
})

function deframed(body: Buffer, chunked: boolean): Buffer {
  if (!chunked) return body
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const line = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.subarray(at, line).toString(), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(body.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}
