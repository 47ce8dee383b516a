import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TransportError, createMinterChannel } from '@ascribe/impersonation'
import { silentLogger } from '@ascribe/kit'
import { createFakeClocks } from '@ascribe/kube/testing'
import { keepPublished, makeIdentity } from '../src/minter/certificate.ts'
import { openMinterChannel } from '../src/minter/minter-address.ts'
import { serveOnSocket, serveSecurely } from '../src/minter/minter-server.ts'
import type { MinterServing } from '../src/minter/minter-server.ts'

const serving = (name: string): MinterServing => ({
  service: { answer: async () => ({ status: 200, body: name }) },
  who: async (authorization) => (authorization === 'Bearer bad' ? undefined : { name, mayMint: true, mayDiscover: true }),
  logger: silentLogger,
})
const LATER = 20_000

test('a minter that was started again has another certificate: it is read again, once for all who ask; another one is not believed', async () => {
  const first = await makeIdentity(Date.now())
  const second = await makeIdentity(Date.now())
  let published = first.cert
  let reads = 0
  const one = await serveSecurely(serving('first'), { host: '127.0.0.1', port: 0 }, first)
  const { port } = new URL(one.url)
  using channel = createMinterChannel({
    url: one.url,
    ca: async () => {
      reads += 1
      return published
    },
    bearer: async () => 'good',
  })
  const ask = async (): Promise<string> => (await channel.post('/v1/token', {}, AbortSignal.timeout(LATER))).body
  assert.equal(await ask(), 'first')
  await one[Symbol.asyncDispose]()
  await using _other = await serveSecurely(serving('second'), { host: '127.0.0.1', port: Number(port) }, second)
  // Somebody else at the address, for all that is known: nothing of the question was sent.
  await assert.rejects(ask(), (error) => error instanceof TransportError && /CERT|SIGNATURE/.test(error.what))
  published = second.cert
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), ['second', 'second', 'second'])
  assert.ok(reads <= 4, String(reads))
})

test('the socket is its owner’s alone, in a folder of his own; what a killed process left is taken away, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-minter-'))
  try {
    const path = join(folder, 'm.sock')
    await using running = await serveOnSocket(serving('socket'), path)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    using channel = createMinterChannel({ socketPath: path })
    assert.equal((await channel.post('/v1/token', {}, AbortSignal.timeout(LATER))).body, 'socket')
    await assert.rejects(serveOnSocket(serving('two'), path), /another process listens there/)
    await running[Symbol.asyncDispose]()
    writeFileSync(path, 'mine')
    await assert.rejects(serveOnSocket(serving('file'), path), /there is a file of that name/)
    chmodSync(folder, 0o777)
    await assert.rejects(serveOnSocket(serving('open'), join(folder, 'n.sock')), /others may write to its folder/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a certificate that somebody has taken away does not stay away, and that of a minter started later is not overwritten', async () => {
  const clocks = createFakeClocks()
  const identity = await makeIdentity(Date.now())
  let data: Record<string, string> = {}
  const kube = {
    get: async () => ({ data }) as never,
    apply: async (_kind: unknown, object: object) => {
      ;({ data } = object as { data: Record<string, string> })
      return object as never
    },
  }
  using _kept = keepPublished(kube, identity, { namespace: 'ascribe-system', clocks, logger: silentLogger })
  await clocks.advance(60_000)
  assert.equal(data['ca.crt'], identity.cert)
  data = { 'ca.crt': 'of the next one' }
  await clocks.advance(60_000)
  assert.equal(data['ca.crt'], 'of the next one')
})

test('tokens are never taken from a socket in a folder that others may write to, nor from one that is not there yet', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-minter-'))
  try {
    const socketPath = join(folder, 'm.sock')
    const kube = { get: async () => assert.fail('there is nothing to read') }
    using channel = openMinterChannel({ socketPath }, { kube, namespace: 'ascribe-system' })
    const ask = async (): Promise<string> => (await channel.post('/v1/token', {}, AbortSignal.timeout(LATER))).body
    const refused = (what: string): Promise<void> =>
      assert.rejects(ask(), (error) => error instanceof TransportError && error.what === what)
    await refused('ENOENT')
    await using _running = await serveOnSocket(serving('socket'), socketPath)
    assert.equal(await ask(), 'socket')
    chmodSync(folder, 0o777)
    await refused('SOCKET_OF_OTHERS')
    chmodSync(folder, 0o700)
    assert.equal(await ask(), 'socket')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
