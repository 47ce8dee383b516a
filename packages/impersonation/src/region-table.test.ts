import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RegionTableError, RegionUnknownError } from './errors.ts'
import { createRegionTable } from './region-table.ts'

test('createRegionTable() puts the region into the host of the default template, for minting and for the API alike (R-1)', () => {
  const endpoint = createRegionTable().endpoint('zrh')
  assert.equal(endpoint.region, 'zrh')
  assert.equal(endpoint.origin, 'https://direct.zrh.cloudsigma.com')
  assert.equal(endpoint.apiUrl.href, 'https://direct.zrh.cloudsigma.com/api/2.0/')
  assert.equal(endpoint.impersonateUrl.href, 'https://direct.zrh.cloudsigma.com/service_provider/api/v1/user/impersonate')
})

/** H-3, and what else could end a host, begin a path, or look like a region. */
const exploits = [
  'evil.example/',
  'x@evil.example/',
  'a.b#',
  'a?',
  'a\\b',
  'a/b',
  'a:80',
  'a%2eevil',
  '',
  ' ',
  'a ',
  '\ta',
  'a\n',
  'ZRH',
  'zr\u0000h',
  'zürich',
  'ｚrh',
  'a。b',
  '-a',
  'a-',
  'a.',
  '.a',
  'a_b',
  '__proto__',
  '{region}',
  '$&',
  '[::1]',
  'a'.repeat(33),
]

for (const region of exploits) {
  test(`createRegionTable() refuses ${JSON.stringify(region)} as a region (H-3)`, () => {
    for (const table of [createRegionTable(), createRegionTable({ regions: ['zrh'] }), createRegionTable({ entries: {} })])
      assert.throws(() => table.endpoint(region), RegionUnknownError)
    assert.throws(() => createRegionTable({ regions: [region] }), RegionTableError)
    assert.throws(() => createRegionTable({ entries: Object.fromEntries([[region, { api: 'https://a.example' }]]) }), RegionTableError)
  })
}

test('createRegionTable() refuses what is no string, or is one only by conversion (H-3)', () => {
  const table = createRegionTable({ regions: ['zrh'] })
  for (const region of [undefined, null, 1, ['zrh'], { toString: () => 'zrh' }])
    assert.throws(() => table.endpoint(region as unknown as string), RegionUnknownError)
})

test('createRegionTable() lets no region whatever choose another host than the template (H-3)', () => {
  const table = createRegionTable()
  const anyRegion = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[a-z0-9@:/?#\\.%\-[\]]{1,40}$/),
    fc.stringMatching(/^[a-z0-9-]{1,33}$/),
  )
  fc.assert(
    fc.property(anyRegion, (region) => {
      let host: string
      try {
        host = table.endpoint(region).apiUrl.host
      } catch (error) {
        assert.ok(error instanceof RegionUnknownError)
        return
      }
      assert.equal(host, `direct.${region}.cloudsigma.com`)
    }),
  )
})

test('createRegionTable() knows only listed regions when there is a list', () => {
  const table = createRegionTable({ regions: ['zrh', 'sjc'] })
  assert.deepEqual(table.regions, ['sjc', 'zrh'])
  assert.equal(table.endpoint('sjc').origin, 'https://direct.sjc.cloudsigma.com')
  assert.throws(() => table.endpoint('dub'), /Cannot reach region "dub": it is not in the table \(sjc, zrh\)/)
})

test('createRegionTable() takes entries with hosts of their own, which go before the template', () => {
  const entries = { dub: { api: 'https://direct.ec.servecentric.example/cloud' }, zrh: { api: 'https://zrh.example' } }
  const only = createRegionTable({ entries })
  assert.equal(only.endpoint('dub').apiUrl.href, 'https://direct.ec.servecentric.example/cloud/api/2.0/')
  assert.throws(() => only.endpoint('sjc'), RegionUnknownError)
  assert.throws(() => only.endpoint('constructor'), RegionUnknownError)
  const both = createRegionTable({ entries, template: 'https://direct.{region}.cloudsigma.com' })
  assert.equal(both.endpoint('zrh').origin, 'https://zrh.example')
  assert.equal(both.endpoint('sjc').origin, 'https://direct.sjc.cloudsigma.com')
})

test('createRegionTable() refuses an entry that mints at one host and works at another (R-1)', () => {
  const impersonate = 'https://mint.example/impersonate'
  assert.throws(() => createRegionTable({ entries: { zrh: { api: 'https://api.example', impersonate } } }), /R-1 asks for one host/)
  const table = createRegionTable({ entries: { zrh: { api: 'https://api.example', impersonate: 'https://api.example/other' } } })
  assert.equal(table.endpoint('zrh').impersonateUrl.href, 'https://api.example/other')
})

for (const api of [
  'http://127.0.0.1:9000',
  'http://127.9.9.9',
  'http://[::1]:9000',
  'http://localhost:1',
  'http://direct.zrh.localhost:9000',
])
  test(`createRegionTable() lets plain http through to ${api}`, () => {
    assert.equal(createRegionTable({ entries: { zrh: { api } } }).endpoint('zrh').origin, new URL(api).origin)
  })

for (const api of [
  'http://cloud.example',
  'http://10.0.0.1',
  'http://127.0.0.1.evil.example',
  'http://localhost.evil.example',
  'http://notlocalhost',
  'http://[::ffff:10.0.0.1]',
  'ftp://127.0.0.1',
  'https://user:secret@cloud.example',
  'https://user@cloud.example',
  'https://cloud.example/?a=b',
  'https://cloud.example/#a',
  'cloud.example',
  '',
])
  test(`createRegionTable() refuses the address ${api} (H-21)`, () => {
    assert.throws(
      () => createRegionTable({ entries: { zrh: { api } } }),
      (error: Error) => {
        assert.ok(error instanceof RegionTableError)
        assert.doesNotMatch(error.message, /secret/)
        return true
      },
    )
  })

for (const template of [
  'https://{region}',
  'https://direct.cloudsigma.com',
  'https://direct.cloudsigma.com/{region}',
  'https://{region}.{region}.example',
  'https://{region}@cloudsigma.com',
  'https://a@{region}.cloudsigma.com',
  'https://cloudsigma.com?{region}.example',
  'https://cloudsigma.com\\{region}.example',
  'https://direct.{region}:443',
  'http://direct.{region}.cloudsigma.com',
  '{region}.cloudsigma.com',
])
  test(`createRegionTable() refuses the template ${template}`, () => {
    assert.throws(() => createRegionTable({ template }), RegionTableError)
  })

test('a base that already ends in /api/2.0 is never taken, which would send tokens to a path that is none', () => {
  for (const api of ['https://api.example/api/2.0', 'https://api.example/cloud/api/2.0/'])
    assert.throws(() => createRegionTable({ entries: { zrh: { api } } }), /ends in \/api\/2\.0\/; leave that out/)
  assert.throws(() => createRegionTable({ template: 'https://direct.{region}.example/api/2.0' }), RegionTableError)
})

test('createRegionTable() keeps port and path of a template', () => {
  const plain = createRegionTable({ template: 'http://direct.{region}.localhost:8443/cloud/' }).endpoint('zrh')
  assert.equal(plain.apiUrl.href, 'http://direct.zrh.localhost:8443/cloud/api/2.0/')
  const implied = createRegionTable({ template: 'https://direct.{region}.example:443' }).endpoint('zrh')
  assert.equal(implied.origin, 'https://direct.zrh.example')
})

test('endpoint() cannot be changed by who holds it', () => {
  const endpoint = createRegionTable({ regions: ['zrh'] }).endpoint('zrh')
  endpoint.apiUrl.hostname = 'evil.example'
  endpoint.impersonateUrl.hostname = 'evil.example'
  assert.throws(() => Object.assign(endpoint, { origin: 'https://evil.example' }), TypeError)
  assert.equal(endpoint.apiUrl.host, 'direct.zrh.cloudsigma.com')
  assert.equal(endpoint.impersonateUrl.host, 'direct.zrh.cloudsigma.com')
})
