import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { dial, listen, portOf, startRelay, textReply, until } from './support.ts'

// Node's server, which reads with llhttp, is the oracle: whatever we take, it must take, and must understand in the same way.
// Where two readers of one stream of bytes disagree, one of them can be talked into serving a request that nobody has checked.

type Seen = { readonly method: string; readonly target: string; readonly headers: readonly string[]; readonly body: string }

const RUNS = 400

const fields = fc.constantFrom(
  'Host: a',
  'Host:a ',
  'host: b',
  'Content-Length: 5',
  'content-length:5',
  'Content-Length: 05',
  'Content-Length: 0',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Transfer-Encoding: chunked',
  'transfer-encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Connection: close',
  'Connection: keep-alive, X-A',
  'X-A: b',
  'X-A:',
  'X-A:  b c\t ',
  ' X-A: folded',
  'X-\u00e9: b',
  'X-A: \u00e9',
  'X-A',
)
const lines = fc.constantFrom(
  'POST /x HTTP/1.1',
  'GET / HTTP/1.1',
  'GET /a?b=c#d HTTP/1.0',
  'OPTIONS * HTTP/1.1',
  'GET http://h/x HTTP/1.1',
  'POST  /x HTTP/1.1',
  'POST /x HTTP/1.2',
  'POST /x',
  'post /x HTTP/1.1',
  'QUERY /x HTTP/1.1',
)
const bodies = fc.constantFrom(
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '2;a=b\r\nhe\r\n003\r\nllo\r\n0\r\nX-T: 1\r\n\r\n',
  '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5;a="b\\"c";d=\r\nhello\r\n0;\r\n\r\n',
  '5;a=b=c;"d"\r\nhello\r\n0;a\r\n\r\n',
  '0\r\n\r\n',
  '5\nhello\n0\n\n',
)
const request = fc
  .record({ line: lines, more: fc.array(fields, { maxLength: 4 }), host: fc.boolean(), body: bodies })
  .map(({ line, more, host, body }) => `${[line, ...(host ? ['Host: a'] : []), ...more].join('\r\n')}\r\n\r\n${body}`)
/** Most of them good, so that some of what follows them is read. */
const goodRequest = fc.constantFrom(
  'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  '\r\nPOST /4 HTTP/1.1\r\nHost: a\r\nX-Y: z\r\nContent-Length: 0\r\n\r\n',
)
const chunkedRequest = bodies.map((body) => `POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
const change = fc.record({
  at: fc.nat(400),
  with: fc.constantFrom('', '\r', '\n', ' ', '\t', '\0', ':', ',', ';', '0', 'a', '\r\n', '\u00ff'),
  over: fc.boolean(),
})
const stream = fc
  .record({
    requests: fc.array(fc.oneof(goodRequest, goodRequest, chunkedRequest, request), { minLength: 1, maxLength: 3 }),
    changes: fc.array(change, { maxLength: 2 }),
  })
  .map(({ requests, changes }) =>
    changes.reduce(
      (text, { at, with: put, over }) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + (over ? 1 : 0)),
      requests.join(''),
    ),
  )

async function oracle(t: TestContext): Promise<(bytes: Buffer) => Promise<Seen[]>> {
  let seen: Seen[] = []
  const server = createServer({ keepAliveTimeout: 0 }, (message: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => {
      const { method = '', url = '', rawHeaders } = message
      seen.push({ method, target: url, headers: rawHeaders, body: Buffer.concat(chunks).toString('latin1') })
      response.end('x')
    })
  })
  Object.assign(server, { httpAllowHalfOpen: true })
  await listen(t, server)
  return async (bytes) => {
    seen = []
    await deliver(t, portOf(server), [bytes])
    return seen
  }
}

/** Sends the pieces and FIN, and waits until the other side has closed. */
async function deliver(t: TestContext, port: number, pieces: readonly Buffer[]): Promise<string> {
  const wire = await dial(t, port)
  for (const piece of pieces) {
    wire.send(piece)
    // oxlint-disable-next-line no-await-in-loop -- a piece that is not alone in its segment tests nothing
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve))
  }
  wire.socket.end()
  await until('the connection closes', () => wire.ended || wire.closed)
  wire.socket.destroy()
  return wire.text
}

async function subject(t: TestContext): Promise<(pieces: readonly Buffer[]) => Promise<{ seen: Seen[]; text: string }>> {
  let seen: Seen[] = []
  const { port } = await startRelay(t, {
    verdict: ({ method, target, headers }) => ({
      kind: 'read',
      bodyBytesMax: 1_000_000,
      decide: (body) => {
        seen.push({ method, target, headers, body: body.toString('latin1') })
        return { kind: 'reply', reply: textReply(200, 'x') }
      },
    }),
  })
  return async (pieces) => {
    seen = []
    const text = await deliver(t, port, pieces)
    return { seen, text }
  }
}

test('createRelay() takes no request that node would not take, and understands it in the same way', async (t) => {
  const ask = await subject(t)
  const askOracle = await oracle(t)
  let taken = 0
  let stricter = 0
  await fc.assert(
    fc.asyncProperty(stream, async (text) => {
      const bytes = Buffer.from(text, 'latin1')
      const expected = await askOracle(bytes)
      const { seen } = await ask([bytes])
      assert.deepEqual(seen, expected.slice(0, seen.length))
      taken += seen.length
      stricter += expected.length - seen.length
    }),
    { numRuns: RUNS },
  )
  assert.ok(taken > RUNS / 3, `only ${taken} requests were taken`)
  assert.ok(stricter < taken / 4, `${stricter} requests were refused that node takes, ${taken} were taken`)
})

test('createRelay() understands a stream of requests in the same way however it is cut', async (t) => {
  const ask = await subject(t)
  await fc.assert(
    fc.asyncProperty(stream, fc.array(fc.nat(400), { maxLength: 6 }), async (text, cuts) => {
      const bytes = Buffer.from(text, 'latin1')
      const whole = await ask([bytes])
      const places = [...new Set(cuts.map((cut) => cut % bytes.length))].toSorted((a, b) => a - b)
      const pieces = [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length))
      const cut = await ask(pieces)
      assert.deepEqual(cut.seen, whole.seen)
      assert.deepEqual(statuses(cut.text), statuses(whole.text))
    }),
    { numRuns: RUNS / 2 },
  )
})

function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status ?? '')
}
