import assert from 'node:assert/strict'
import { X509Certificate, createHash, createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { SigningKeys } from './signing-keys.ts'

test('jwks() has keys with certificates that are theirs, and hashes that are the certificates’', async () => {
  const now = Date.parse('2026-11-22T12:00:00Z')
  const { keys } = (await SigningKeys.create(now)).jwks()
  assert.deepEqual(
    keys.map(({ use, alg }) => [use, alg]),
    [
      ['enc', 'RSA-OAEP'],
      ['sig', 'RS256'],
    ],
  )
  for (const { use, kty, n, e, x5c, x5t, 'x5t#S256': sha256 } of keys) {
    const der = Buffer.from(String((x5c as string[])[0]), 'base64')
    const certificate = new X509Certificate(der)
    assert.ok(certificate.verify(certificate.publicKey), 'signed by itself')
    // The encryption key is one for the whole process, and may be older.
    if (use === 'sig') assert.equal(certificate.validFromDate.getTime(), now)
    assert.ok(certificate.publicKey.equals(createPublicKey({ key: { kty: String(kty), n: String(n), e: String(e) }, format: 'jwk' })))
    assert.equal(x5t, createHash('sha1').update(der).digest('base64url'))
    assert.equal(sha256, createHash('sha256').update(der).digest('base64url'))
  }
})

test('verify() takes what the key signed, and nothing that was changed or signed otherwise', async () => {
  const keys = await SigningKeys.create(Date.now())
  const token = keys.sign({ sub: 'x' })
  assert.deepEqual(keys.verify(token), { sub: 'x' })
  const [head = '', body = '', signature = ''] = token.split('.')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  for (const bad of [`${head}.${body}x.${signature}`, `${head}.${body}`, `${none}.${body}.`, `${token}.x`, '', '..'])
    assert.equal(keys.verify(bad), undefined, bad)
  await keys.rotate(Date.now())
  assert.deepEqual(keys.verify(token), { sub: 'x' }, 'the old key is kept')
  keys.keepOnly('newest')
  assert.equal(keys.verify(token), undefined)
})
