import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createDecodedCopy, isEncoded } from './decoded-copy.ts'
import type { DecodedCopy } from './decoded-copy.ts'

const TEXT = 'the quick brown fox '.repeat(5_000)

function copyOf(encoding: string): DecodedCopy & { readonly text: string } {
  let text = ''
  const copy = createDecodedCopy(encoding, (decoded) => {
    text += decoded.toString('latin1')
  })
  assert.ok(copy !== undefined)
  return {
    get text() {
      return text
    },
    write: (chunk) => copy.write(chunk),
    end: () => copy.end(),
  }
}

for (const [encoding, encode] of [
  ['gzip', gzipSync],
  [' GZIP ', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  // Without its wrapper, as some servers send it.
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['gzip, br', (bytes: Buffer): Buffer => brotliCompressSync(gzipSync(bytes))],
  ['deflate, identity,zstd', (bytes: Buffer): Buffer => zstdCompressSync(deflateSync(bytes))],
] as const) {
  test(`createDecodedCopy() reads ${encoding} (${encode.name}), however it is cut`, async () => {
    const bytes = encode(Buffer.from(TEXT))
    for (const size of [1, 7, bytes.length]) {
      const copy = copyOf(encoding)
      for (let at = 0; at < bytes.length; at += size) void copy.write(bytes.subarray(at, at + size))
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      assert.equal(await copy.end(), true)
      assert.equal(copy.text, TEXT)
    }
  })
}

test('createDecodedCopy() knows identity and nothing else', () => {
  for (const encoding of [undefined, '', 'identity', 'x-odd', 'gzip, x-odd', 'gzip, gzip, gzip, gzip']) {
    assert.equal(
      createDecodedCopy(encoding, () => {}),
      undefined,
    )
  }
})

test('write() resolves when what can be decoded so far has been read', async () => {
  const copy = copyOf('gzip')
  await copy.write(gzipSync(Buffer.from(TEXT), { finishFlush: constants.Z_SYNC_FLUSH }))
  assert.equal(copy.text, TEXT)
})

test('end() says that a body was cut, and what could be decoded has been read', async () => {
  const copy = copyOf('gzip')
  void copy.write(gzipSync(Buffer.from(TEXT), { finishFlush: constants.Z_SYNC_FLUSH }))
  assert.equal(await copy.end(), false)
  assert.equal(copy.text, TEXT)
})

test('bytes that cannot be decoded reject nothing and keep nobody waiting', async () => {
  const copy = copyOf('gzip')
  await copy.write(Buffer.from('these bytes are no gzip at all'))
  await copy.write(Buffer.from('nor are these'))
  assert.equal(await copy.end(), false)
  assert.equal(await copy.end(), false)
  assert.equal(copy.text, '')
})

test('a decoder that cannot keep up is given up, and keeps nobody waiting', async () => {
  const copy = copyOf('gzip')
  const chunk = gzipSync(Buffer.alloc(1 << 20), { level: 0 })
  const writes: Promise<void>[] = []
  for (let at = 0; at < 12; at += 1) writes.push(copy.write(chunk))
  await Promise.all(writes)
  assert.equal(await copy.end(), false)
})

test('isEncoded() takes identity, blank and absent for no encoding', () => {
  for (const encoding of [undefined, '', ' ', 'identity', ' Identity ']) assert.equal(isEncoded(encoding), false)
  for (const encoding of ['gzip', 'x-odd', 'gzip, identity']) assert.equal(isEncoded(encoding), true)
})
