import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { callStep } from '../src/call-step.ts'
import { createHttpTransport } from '../src/http-transport.ts'
import { refusalOf } from './support/world.ts'

const folder = mkdtempSync(join(tmpdir(), 'ascribe-tls-'))
const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
const names = 'subjectAltName=DNS:direct.zrh.localhost'
const made = [
  'req',
  '-x509',
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:prime256v1',
  '-nodes',
  '-days',
  '2',
  '-subj',
  '/CN=test',
  '-addext',
  names,
]
execFileSync('openssl', [...made, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' })
const [key, cert] = [readFileSync(keyFile), readFileSync(certFile, 'utf8')]

let connections = 0
let requests = 0
const server = createServer({ key, cert }, (incoming, response) => {
  requests += 1
  incoming.resume().on('end', () => response.end('{"access_token":"a"}'))
})
server.on('secureConnection', () => (connections += 1))

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

const wireTo = (host: string): { method: 'POST'; url: URL; headers: Record<string, string>; body: string } => ({
  method: 'POST',
  url: new URL(`https://${host}:${(server.address() as AddressInfo).port}/`),
  headers: {},
  body: 'secret',
})

test('createHttpTransport() believes a certificate of the authority that it was given, and shakes hands once', async () => {
  using transport = createHttpTransport({ ca: cert })
  for (let round = 0; round < 3; round += 1) await callStep('rpt', wireTo('direct.zrh.localhost'), { transport })
  assert.deepEqual([connections, requests], [1, 3])
})

test('createHttpTransport() sends nothing to a host that it cannot believe, and says that it is the certificate', async () => {
  requests = 0
  using trusting = createHttpTransport({ ca: cert })
  using plain = createHttpTransport()
  const stranger = await refusalOf(callStep('rpt', wireTo('direct.zrh.localhost'), { transport: plain }), 'network')
  const misnamed = await refusalOf(callStep('rpt', wireTo('direct.sjc.localhost'), { transport: trusting }), 'network')
  for (const error of [stranger, misnamed]) assert.match(error.hint ?? '', /certificate/, error.message)
  assert.equal(requests, 0)
})
