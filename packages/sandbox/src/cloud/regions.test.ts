import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RegionTable } from './regions.ts'

test('placeOf() goes by a name in Host, else by the address that was called', () => {
  const table = new RegionTable(['zrh', 'sjc'])
  for (const [host, address, expected] of [
    ['direct.zrh.localhost:80', '127.0.0.1', { kind: 'direct', region: 'zrh' }],
    ['ZRH.localhost', '127.0.0.4', { kind: 'other', region: 'zrh' }],
    ['127.0.0.4:80', '127.0.0.4', { kind: 'direct', region: 'sjc' }],
    ['127.0.0.5', '127.0.0.5', { kind: 'other', region: 'sjc' }],
    ['127.0.0.1:80', '127.0.0.1', { kind: 'oauth' }],
    ['oauth.localhost', '127.0.0.1', { kind: 'oauth' }],
    ['direct.fra.localhost', '127.0.0.2', undefined],
  ] as const) {
    assert.deepEqual(table.placeOf(host, address), expected, host)
  }
})

test('urls() gives names where the machine has no addresses to give', () => {
  const table = new RegionTable(['zrh'])
  assert.deepEqual(table.urls('zrh', { port: 80, hasAddresses: true }), {
    api: 'http://127.0.0.2:80',
    other: 'http://127.0.0.3:80',
    name: 'http://direct.zrh.localhost:80',
    otherName: 'http://zrh.localhost:80',
  })
  const { api, other, name, otherName } = table.urls('zrh', { port: 80, hasAddresses: false })
  assert.deepEqual([api, other], [name, otherName])
})

test('RegionTable refuses what is no host label, none, and the same twice', () => {
  for (const names of [['a.b'], ['x@evil'], ['Zrh'], [''], ['-a'], [], ['zrh', 'zrh']])
    assert.throws(() => new RegionTable(names), /Cannot/)
})
