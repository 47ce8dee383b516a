import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { apiUrlOf, callUrl } from './endpoint.ts'
import { CloudSigmaRequestError } from './errors.ts'

const base = apiUrlOf({ region: 'zrh', apiUrl: new URL('https://direct.zrh.example/api/2.0/'), origin: 'https://direct.zrh.example' })

test('callUrl() never leaves the base, whatever an id is', () => {
  for (const id of ['..', '.', ''])
    assert.throws(() => callUrl(base, { operation: 'x', path: ['servers', id] }), CloudSigmaRequestError, id)
  fc.assert(
    fc.property(fc.string(), fc.string(), (id, filter) => {
      try {
        const url = callUrl(base, { operation: 'x', path: ['servers', id], query: { name: filter } })
        assert.equal(url.origin, base.origin)
        assert.match(url.pathname, /^\/api\/2\.0\/servers\/[^/]+\/$/)
        assert.equal(url.searchParams.get('name'), filter.toWellFormed())
      } catch (error) {
        if (!(error instanceof CloudSigmaRequestError) && !(error instanceof URIError)) throw error
      }
    }),
  )
})

test('apiUrlOf() puts the path of the API behind a host, once', () => {
  for (const path of ['', '/', '/api/2.0', '/api/2.0/'])
    assert.equal(
      apiUrlOf({ region: 'r', apiUrl: new URL(`https://a.example${path}`), origin: 'https://a.example' }).href,
      'https://a.example/api/2.0/',
    )
})
