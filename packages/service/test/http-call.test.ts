import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { errorChain } from '@ascribe/kit'
import { callHttp, isPublicAddress, listenOn } from '../src/index.ts'

async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener)
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${port}/users`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('callHttp() sends what it is given, and gives whatever status comes', async () => {
  await using server = await serve((request, reply) => {
    request.setEncoding('utf8').on('data', (body: string) => {
      reply.writeHead(418, { 'x-seen': `${request.method} ${request.headers['authorization']}` }).end(body.toUpperCase())
    })
  })
  const reply = await callHttp({ url: server.url, method: 'POST', headers: { authorization: 'token t' }, body: 'hello' })
  assert.deepEqual([reply.status, reply.headers.get('x-seen'), reply.body.toString()], [418, 'POST token t', 'HELLO'])
})

test('callHttp() follows no redirect: its headers go nowhere else', async () => {
  let visits = 0
  await using server = await serve((_request, reply) => {
    visits += 1
    reply.writeHead(302, { location: '/elsewhere' }).end()
  })
  await assert.rejects(callHttp({ url: server.url }), { code: 'HTTP_CALL_FAILED', retryable: false, message: /302, a redirect/ })
  assert.equal(visits, 1)
})

test('callHttp() reads no more than it may, however the reply is framed', async () => {
  await using server = await serve((_request, reply) => {
    reply.write('x'.repeat(600))
    reply.end('x'.repeat(600))
  })
  await assert.rejects(callHttp({ url: server.url, replyBytesMax: 1000 }), /more than 1000 bytes/)
  assert.equal((await callHttp({ url: server.url, replyBytesMax: 1200 })).body.length, 1200)
})

test('callHttp() ends at its time, also in the middle of a body, and says that it may be tried again', async () => {
  await using server = await serve((_request, reply) => void reply.write('half'))
  await assert.rejects(callHttp({ url: server.url, timeoutMs: 50 }), { retryable: true, message: /no whole reply within 50 ms/ })
})

test('callHttp() ends with its signal', async () => {
  const stop = new AbortController()
  await using server = await serve(() => stop.abort())
  await assert.rejects(callHttp({ url: server.url, signal: stop.signal }), { code: 'HTTP_CALL_FAILED', retryable: false })
})

test('callHttp() names no secret when it fails', async () => {
  const cases = [
    { url: 'http://ann:hunter2@127.0.0.1:9/x' },
    { url: 'http://127.0.0.1:9/x?key=hunter2' },
    { url: 'file:///hunter2' },
    { url: 'http://127.0.0.1:9/x', headers: { authorization: 'hunter2\n' + 'x' } },
  ]
  for (const call of cases) {
    const error = await callHttp(call).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof Error, call.url)
    assert.doesNotMatch(errorChain(error), /hunter2/)
  }
})

test('callHttp() never reaches what is not on the public Internet for somebody outside, however the URL is written', async () => {
  const hosts = ['127.0.0.1', '2130706433', '0x7f.1', 'localhost', '169.254.169.254', '10.0.0.1', '[::1]', '[::ffff:10.0.0.1]', '[fd00::1]']
  for (const host of hosts) {
    const call = callHttp({ url: `https://${host}:1/`, publicOnly: true })
    await assert.rejects(call, { code: 'HTTP_CALL_FAILED', retryable: false, message: /public Internet/ }, host)
  }
  await assert.rejects(callHttp({ url: 'http://example.com/', publicOnly: true }), /it is not https/)
})

test('isPublicAddress() tells addresses of the Internet from all others', () => {
  const open = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1']
  const closed = ['0.0.0.0', '172.31.255.255', '192.168.1.1', '100.64.0.1', '224.0.0.1', '255.255.255.255', '::', 'fe80::1', 'ff02::1']
  const tunnels = [
    '::ffff:127.0.0.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    'fe80::1%eth0',
    'localhost',
    '',
  ]
  assert.deepEqual(open.filter(isPublicAddress), open)
  assert.deepEqual([...closed, ...tunnels].filter(isPublicAddress), [])
})
