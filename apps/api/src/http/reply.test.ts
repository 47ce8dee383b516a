import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { listenOn } from '@ascribe/service'
import { StreamReply } from '../handler.ts'
import { StreamBrokenError, send } from './reply.ts'
import type { StreamOutcome } from './reply.ts'

type Served = AsyncDisposable & { readonly url: string; readonly outcome: Promise<StreamOutcome | undefined> }

/** One stream at an address of its own. */
async function serve(chunks: AsyncIterable<string>, method = 'GET'): Promise<Served> {
  const outcome = Promise.withResolvers<StreamOutcome | undefined>()
  const body = new StreamReply({ contentType: 'text/csv', chunks, rows: () => 7 })
  const server = createServer((_request, response) => {
    send(response, { status: 200, headers: {}, cookies: [], body }, { headers: {}, isHead: method === 'HEAD' }).then(
      outcome.resolve,
      outcome.reject,
    )
  })
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${port}`,
    outcome: outcome.promise,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function reply(url: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  get(url, { agent: false }, resolve).on('error', reject)
  return promise
}

test('send() tells of a whole stream what left: rows, bytes and digest', async () => {
  async function* chunks(): AsyncGenerator<string> {
    yield 'a,b\n'
    yield 'é,2\n'
  }
  await using served = await serve(chunks())
  assert.equal((await (await reply(served.url)).toArray()).join(''), 'a,b\né,2\n')
  const sha256 = createHash('sha256').update('a,b\né,2\n').digest('hex')
  assert.deepEqual(await served.outcome, { outcome: 'completed', rows: 7, bytes: 9, sha256 })
})

test('send() tells of a stream whose reader left that it was aborted, and reads no further', async () => {
  const left = Promise.withResolvers<void>()
  let read = 0
  let isReleased = false
  async function* chunks(): AsyncGenerator<string> {
    try {
      for (;;) {
        read += 1
        yield 'x'.repeat(1000)
        if (read === 2) await left.promise
      }
    } finally {
      isReleased = true
    }
  }
  await using served = await serve(chunks())
  const response = await reply(served.url)
  response.on('close', () => left.resolve())
  response.destroy()
  const outcome = await served.outcome
  assert.equal(outcome?.outcome, 'aborted')
  assert.ok(isReleased)
})

test('send() never tells of a stream that it was completed when its last part did not leave', async () => {
  const [isSent, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  async function* chunks(): AsyncGenerator<string> {
    yield 'first'
    await isSent.promise
    // More than any buffer on the way holds, and the last there is.
    yield 'x'.repeat(64 * 1024 * 1024)
  }
  await using served = await serve(chunks())
  const response = await reply(served.url)
  response.once('data', () => {
    response.pause()
    isSent.resolve()
    setImmediate(() => response.destroy())
  })
  response.on('close', () => left.resolve())
  await left.promise
  assert.equal((await served.outcome)?.outcome, 'aborted')
})

test('send() cuts a stream that breaks, so that no reader takes a part for the whole, and tells what had left', async () => {
  async function* chunks(): AsyncGenerator<string> {
    yield 'half'
    throw new Error('the ledger is away')
  }
  await using served = await serve(chunks())
  const broken = assert.rejects(
    served.outcome,
    (error: unknown) => error instanceof StreamBrokenError && error.outcome.outcome === 'aborted',
  )
  await assert.rejects(async () => (await reply(served.url)).toArray())
  await broken
})

test('send() of HEAD begins no stream and lets go of it', async () => {
  let isBegun = false
  async function* chunks(): AsyncGenerator<string> {
    isBegun = true
    yield 'x'
  }
  await using served = await serve(chunks(), 'HEAD')
  assert.deepEqual(await (await reply(served.url)).toArray(), [])
  assert.deepEqual([isBegun, (await served.outcome)?.bytes], [false, 0])
})
