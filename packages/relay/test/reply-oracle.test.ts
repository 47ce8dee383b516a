import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { endToEndHeaders } from '../src/index.ts'
import { dial, rawUpstream, startRelay, until } from './support.ts'

// llhttp, which Node reads with, is the oracle: a reply that we take for whole, it must take for whole, and must
// understand in the same way. Otherwise an upstream could make one client's reply the beginning of another's.

type Reply = { readonly status: number; readonly headers: readonly string[]; readonly body: string }

const RUNS = 300

const statusLines = fc.constantFrom(
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 404 Nicht gefunden \u00fc',
  'HTTP/1.1 099 No',
  'HTTP/1.1 2000 OK',
  'HTTP/2.0 200 OK',
  'HTTP/1.1  200 OK',
)
const fields = fc.constantFrom(
  'Content-Length: 5',
  'content-length:05 ',
  'Content-Length: 0',
  'Content-Length: 5, 5',
  'Content-Length: -5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding: gzip, chunked',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: x-a, Keep-Alive',
  'Keep-Alive: timeout=5, max=3',
  'X-A: b',
  'X-A:',
  ' folded',
  'Set-Cookie: a=\u00e9',
  'X A: b',
)
const bodies = fc.constantFrom(
  '',
  'hello',
  'hello, world',
  '5\r\nhello\r\n0\r\n\r\n',
  '1;x=y\r\nh\r\n04\r\nello\r\n0\r\nX-T: 1\r\n\r\n',
  '5\r\nhello\r\n',
  '5\r\nhelloo\r\n0\r\n\r\n',
  'ffffffffffffffff\r\nhello',
)
const interim = fc.constantFrom('', '', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n')
const goodReply = fc.constantFrom(
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nuntil the end',
)
const anyReply = fc
  .record({ before: interim, line: statusLines, more: fc.array(fields, { maxLength: 3 }), body: bodies })
  .map(({ before, line, more, body }) => `${before}${[line, ...more].join('\r\n')}\r\n\r\n${body}`)
const change = fc.record({
  at: fc.nat(200),
  with: fc.constantFrom('', '\r', '\n', ' ', '\t', '\0', ':', ';', '0', '\r\n', '\u00ff'),
  over: fc.boolean(),
})
const reply = fc
  .record({ reply: fc.oneof(goodReply, anyReply), changes: fc.array(change, { maxLength: 2 }) })
  .map(({ reply: first, changes }) =>
    changes.reduce(
      (text, { at, with: put, over }) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + (over ? 1 : 0)),
      first,
    ),
  )
const method = fc.constantFrom('GET', 'POST', 'HEAD')

/** Node's binding to llhttp: no public interface, so it is good for tests only. */
type Llhttp = {
  initialize(type: number, resource: object): void
  execute(bytes: Buffer): number | Error
  finish(): number | Error
  [callback: number]: unknown
}
type LlhttpClass = { new (): Llhttp; RESPONSE: number; kOnHeadersComplete: number; kOnBody: number; kOnMessageComplete: number }
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: LlhttpClass }

/** What llhttp makes of a reply; `undefined`: nothing whole. */
function oracle(asked: string, bytes: Buffer): Reply | undefined {
  let head: Omit<Reply, 'body'> | undefined
  let whole: Reply | undefined
  const chunks: Buffer[] = []
  const parser = new HTTPParser()
  parser.initialize(HTTPParser.RESPONSE, {})
  // Major, minor, fields, method, target, status, reason, whether the protocol changes. 1 says that there is no body.
  parser[HTTPParser.kOnHeadersComplete] = (...told: [number, number, string[], unknown, unknown, number, string, boolean]): number => {
    const [, , headers, , , status, , upgrade] = told
    if (status >= 200 && !upgrade && head === undefined) head = { status, headers: endToEndHeaders(headers) }
    return asked === 'HEAD' ? 1 : 0
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer): void => {
    if (whole === undefined) chunks.push(Buffer.from(chunk))
  }
  parser[HTTPParser.kOnMessageComplete] = (): void => {
    if (head !== undefined) whole ??= { ...head, body: Buffer.concat(chunks).toString('latin1') }
  }
  if (typeof parser.execute(bytes) === 'number') parser.finish()
  return whole
}

type Scene = {
  /** What the relay makes of a reply that comes in these pieces. */
  readonly ask: (
    asked: string,
    pieces: readonly Buffer[],
  ) => Promise<{ readonly whole: Reply | undefined; readonly kind: string | undefined }>
}

async function begin(t: TestContext): Promise<Scene> {
  let pieces: readonly Buffer[] = []
  const upstream = await rawUpstream(t, (wire) =>
    wire.socket.once('data', () => {
      const say = (i: number): void => {
        const piece = pieces[i]
        if (piece === undefined) wire.socket.end()
        else {
          wire.send(piece)
          setImmediate(() => say(i + 1))
        }
      }
      say(0)
    }),
  )
  let got: Buffer[] = []
  const { port, recorders } = await startRelay(t, {
    upstreamPort: upstream.port,
    plan: (recorder) => {
      recorder.onData = (chunk) => got.push(chunk)
      recorder.onEnd = (sink) => sink.reset()
      recorder.onFail = (_failure, sink) => sink.reset()
    },
  })
  return {
    async ask(asked, cut) {
      pieces = cut
      got = []
      const count = recorders.length
      const client = await dial(t, port)
      client.send(`${asked} / HTTP/1.1\r\nHost: a\r\n\r\n`)
      await until('the exchange is over', () => recorders[count]?.over === true)
      client.socket.destroy()
      const recorder = recorders[count]
      assert.ok(recorder)
      const { status, headers } = recorder
      const isWhole = recorder.calls.at(-1) === 'end'
      return { whole: isWhole ? { status, headers, body: Buffer.concat(got).toString('latin1') } : undefined, kind: recorder.kinds[0] }
    },
  }
}

test('createRelay() takes no reply that llhttp would not take, and understands it in the same way', async (t) => {
  const { ask } = await begin(t)
  let taken = 0
  let stricter = 0
  await fc.assert(
    fc.asyncProperty(reply, method, async (text, asked) => {
      const bytes = Buffer.from(text, 'latin1')
      const expected = oracle(asked, bytes)
      const { whole } = await ask(asked, [bytes])
      if (whole !== undefined) assert.deepEqual(whole, expected)
      taken += whole === undefined ? 0 : 1
      stricter += whole === undefined && expected !== undefined ? 1 : 0
    }),
    { numRuns: RUNS },
  )
  assert.ok(taken > RUNS / 5, `only ${taken} replies were taken`)
  assert.ok(stricter < taken / 2, `${stricter} replies were refused that node takes, ${taken} were taken`)
})

test('createRelay() understands a reply in the same way however it is cut', async (t) => {
  const { ask } = await begin(t)
  await fc.assert(
    fc.asyncProperty(reply, method, fc.array(fc.nat(200), { maxLength: 5 }), async (text, asked, cuts) => {
      const bytes = Buffer.from(text, 'latin1')
      const places = [...new Set(cuts.map((cut) => cut % bytes.length))].toSorted((a, b) => a - b)
      const pieces = [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length))
      assert.deepEqual(await ask(asked, pieces), await ask(asked, [bytes]))
    }),
    { numRuns: RUNS / 2 },
  )
})
