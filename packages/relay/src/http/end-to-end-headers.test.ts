import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { endToEndHeaders } from './end-to-end-headers.ts'

test('endToEndHeaders() drops the hop-by-hop fields of RFC 9110 section 7.6.1', () => {
  const hop = ['Connection', 'Keep-Alive', 'Proxy-Connection', 'PROXY-Authorization', 'proxy-authenticate', 'TE', 'Trailer']
  const headers = [...hop, 'Transfer-Encoding', 'UPGRADE'].flatMap((name) => [name, 'x'])
  assert.deepEqual(endToEndHeaders([...headers, 'Content-Type', 'text/plain']), ['Content-Type', 'text/plain'])
})

test('endToEndHeaders() drops every field that Connection names', () => {
  assert.deepEqual(
    endToEndHeaders(['X-Hop', '1', 'Connection', 'close, x-hop ,', 'X-Stay', '2', 'connection', 'X-Other', 'x-OTHER', '3', 'x-hop', '4']),
    ['X-Stay', '2'],
  )
})

test('endToEndHeaders() keeps fields that only look alike', () => {
  const headers = ['Proxy', '1', 'X-Connection', '2', 'Tea', '3', 'Trailers', '4', 'Upgrade-Insecure-Requests', '5', 'traceparent', '6']
  assert.equal(endToEndHeaders(headers), headers)
})

test('endToEndHeaders() keeps order, case and repetition, and is idempotent', () => {
  const name = fc.constantFrom('Set-Cookie', 'set-cookie', 'X-A', 'Connection', 'TE', 'proxy-x', 'Content-Type')
  const value = fc.constantFrom('', 'x-a', 'close', 'Set-Cookie, te', 'b')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (fields) => {
      const once = endToEndHeaders(fields.flat())
      assert.deepEqual(endToEndHeaders(once), once)
      const kept = fields.filter(([field]) => once.includes(field))
      assert.deepEqual(kept.flat(), once)
    }),
  )
})
