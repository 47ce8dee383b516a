import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkReturnTo } from './return-to.ts'

const ORIGIN = 'https://billing.example.com'

test('checkReturnTo() keeps a path of ours with query and fragment, in normalised form', () => {
  for (const path of ['/', '/console/', '/console/?group=model&next=https://evil.com#day', '/v1/me', '/loginx', '/console/login'])
    assert.equal(checkReturnTo(path, ORIGIN), path)
  assert.equal(checkReturnTo('/a/../console/', ORIGIN), '/console/')
  assert.equal(checkReturnTo('/console/?a"b', ORIGIN), '/console/?a%22b')
})

test('checkReturnTo() refuses what could lead elsewhere, or in circles', () => {
  const hostile = [
    '',
    'console',
    '//evil.com',
    '///evil.com',
    '/\\evil.com',
    '\\/evil.com',
    '/\t/evil.com',
    '/\n/evil.com',
    ' /console',
    '/console ',
    'https://evil.com',
    'https:evil.com',
    'javascript:alert(1)',
    '@evil.com',
    '.evil.com',
    ':80/',
    '/é',
    '/\u2028',
    '/\u0000',
    '/x/..//evil.com',
    '/.//evil.com',
    '/%2e//evil.com',
    '/%2e%2e//evil.com',
    '/login',
    '/login/',
    '/login?returnTo=/login',
    '/logout',
    '/x/../logout',
    '/login#x',
    `/${'a'.repeat(1024)}`,
  ]
  for (const path of hostile) assert.equal(checkReturnTo(path, ORIGIN), undefined, JSON.stringify(path))
})

test('checkReturnTo() gives nothing that a browser would take for another origin', () => {
  const piece = fc.constantFrom('/', '//', '\\', '..', '%2e', '.', '@', ':', 'evil.com', 'console', '?', '#', '\t', 'é', 'https:')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const path = checkReturnTo(pieces.join(''), ORIGIN)
      if (path === undefined) return
      assert.equal(new URL(path, ORIGIN).origin, ORIGIN)
      assert.equal(checkReturnTo(path, ORIGIN), path)
      assert.match(path, /^\/(?!\/)/)
    }),
    { numRuns: 2000 },
  )
})
