import assert from 'node:assert/strict'
import { X509Certificate, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:tls'
import { test } from 'node:test'
import { selfSignedCertificate } from './certificate.ts'
import { integer } from './der.ts'
import { createHttpsServer } from './http-server.ts'
import { listenOn } from './listen.ts'

test('integer() takes as few bytes as it needs, with a zero before a set top bit', () => {
  for (const [value, hex] of [
    [0n, '020100'],
    [127n, '02017f'],
    [128n, '02020080'],
    [256n, '02020100'],
  ] as const)
    assert.equal(integer(value).toString('hex'), hex)
})

test('selfSignedCertificate() is believed under its name by who was given it, and by nobody under another', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = selfSignedCertificate({ publicKey, privateKey, commonName: 'ascribe-minter', notBefore: Date.now() - 60_000 })
  const cert = new X509Certificate(der).toString()
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const server = createHttpsServer({ headBytesMax: 8192, requestTimeoutMs: 5000, keepAliveMs: 1000 }, { cert, key })
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0 })
  const reach = async (options: object): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port, ...options })
    const failed = Promise.withResolvers<string>()
    socket.on('error', (error: NodeJS.ErrnoException) => failed.resolve(error.code ?? 'failed'))
    const said = await Promise.race([once(socket, 'secureConnect').then(() => 'ok'), failed.promise])
    socket.destroy()
    return said
  }
  try {
    assert.equal(await reach({ ca: [cert], servername: 'ascribe-minter' }), 'ok')
    assert.equal(await reach({ ca: [cert], servername: 'somebody-else' }), 'ERR_TLS_CERT_ALTNAME_INVALID')
    assert.equal(await reach({ servername: 'ascribe-minter' }), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  } finally {
    server.close()
    server.closeAllConnections()
  }
})
