import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { dial, portOf, post, startRelay, until } from './support.ts'

/** An https server with a certificate that only its own file vouches for. */
async function tlsUpstream(t: TestContext): Promise<{ readonly port: number; readonly ca: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'relay-tls-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const key = join(dir, 'key.pem')
  const cert = join(dir, 'cert.pem')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  let connections = 0
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.setHeader('x-connections', String(connections))
      response.setHeader('x-resumed', String((request.socket as TLSSocket).isSessionReused()))
      if (request.url === '/last') response.setHeader('connection', 'close')
      response.end(request.url === '/echo' ? Buffer.concat(chunks) : `secure ${request.headers.host}`)
    })
  })
  server.on('secureConnection', () => (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: portOf(server), ca: readFileSync(cert, 'utf8') }
}

test('createRelay() talks to an https upstream whose authority it is given', async (t) => {
  const { port: upstreamPort, ca } = await tlsUpstream(t)
  for (const host of ['localhost', '127.0.0.1']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { port } = await startRelay(t, { upstream: { origin: `https://${host}:${upstreamPort}`, ca } })
    // oxlint-disable-next-line no-await-in-loop -- as above
    const client = await dial(t, port)
    client.send(post('{}'))
    // oxlint-disable-next-line no-await-in-loop -- as above
    await client.sees(`secure ${host}:${upstreamPort}`)
  }
})

test('createRelay() carries long bodies over https both ways, to a client that reads slowly, on one connection', async (t) => {
  const { port: upstreamPort, ca } = await tlsUpstream(t)
  const { port, recorders } = await startRelay(t, {
    upstream: { origin: `https://localhost:${upstreamPort}`, ca },
    bodyBytesMax: 20_000_000,
  })
  const body = randomBytes(10_000_000)
  const client = await dial(t, port)
  for (let i = 1; i <= 2; i += 1) {
    const before = client.bytes.length
    client.send(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.send(body)
    client.socket.pause()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await until('the reply has begun', () => (recorders[i - 1]?.bytes ?? 0) > 0)
    client.socket.resume()
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until('the client has it all', () => recorders[i - 1]?.over === true && client.bytes.length > before + body.length)
    assert.ok(client.bytes.subarray(-body.length).equals(body))
  }
  assert.equal(client.text.match(/x-connections: 1\r\n/g)?.length, 2)
})

test('createRelay() resumes the TLS session of an earlier connection', async (t) => {
  const { port: upstreamPort, ca } = await tlsUpstream(t)
  const { port } = await startRelay(t, { upstream: { origin: `https://localhost:${upstreamPort}`, ca } })
  const client = await dial(t, port)
  for (let i = 1; i <= 2; i += 1) {
    client.send('GET /last HTTP/1.1\r\nHost: a\r\n\r\n')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await until(`reply ${i} arrives`, () => client.text.split('secure ').length === i + 1)
  }
  assert.deepEqual(client.text.match(/x-(connections|resumed): \S+/g), [
    'x-connections: 1',
    'x-resumed: false',
    'x-connections: 2',
    'x-resumed: true',
  ])
})

test("createRelay() fails with 'connect' when nobody vouches for an https upstream", async (t) => {
  const { port: upstreamPort } = await tlsUpstream(t)
  const { port, recorders } = await startRelay(t, { upstream: { origin: `https://127.0.0.1:${upstreamPort}` } })
  const client = await dial(t, port)
  client.send(post('{}'))
  await until('the exchange is over', () => recorders[0]?.over === true)
  assert.deepEqual(recorders[0]?.kinds, ['connect'])
})
