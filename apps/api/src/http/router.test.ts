import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_ROUTES } from '@ascribe/contract'
import type { RouteDef } from '@ascribe/contract'
import fc from 'fast-check'
import { createRouter } from './router.ts'
import type { RouteMatch } from './router.ts'

const [some] = API_ROUTES
assert(some !== undefined)
const at = (method: RouteDef['method'], path: string): { def: RouteDef; handle: () => Promise<unknown> } => ({
  def: { ...some, method, path },
  handle: async () => undefined,
})
const router = createRouter([at('GET', '/a/{id}'), at('PUT', '/a/{id}'), at('GET', '/a/b'), at('GET', '/a/{id}/c/{other}'), at('GET', '/')])

const matchOf = (path: string): RouteMatch | undefined => {
  const found = router.find(path)
  return found === 'malformed' ? undefined : found
}

test('find() takes a literal before a placeholder, and says which methods there are', () => {
  assert.deepEqual([matchOf('/a/b')?.params, matchOf('/a/b')?.allow], [{}, 'GET, HEAD, OPTIONS'])
  assert.deepEqual([matchOf('/a/x')?.params, matchOf('/a/x')?.allow], [{ id: 'x' }, 'GET, HEAD, PUT, OPTIONS'])
  assert.deepEqual(matchOf('/a/b/c/d')?.params, { id: 'b', other: 'd' })
})

test('find() knows one address of a thing: case, empty segments, trailing slashes and dots count', () => {
  for (const path of ['/A/b', '/a/', '/a//c/d', '/a/b/', '//a/b', '/a', '/a/b/c', '/a/./b', '/a/x/../b'])
    assert.equal(router.find(path), undefined, path)
})

test('find() decodes each segment once, by itself: an encoded slash stays inside', () => {
  assert.deepEqual(matchOf('/a/x%2Fc%2Fd')?.params, { id: 'x/c/d' })
  assert.deepEqual(matchOf('/a/%252e')?.params, { id: '%2e' })
  assert.equal(router.find('/a/%ZZ'), 'malformed')
})

test('find() gives back whatever stood in a placeholder, and never throws', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }).filter((id) => id !== 'b' && id.isWellFormed()),
      (id) => {
        assert.deepEqual(matchOf(`/a/${encodeURIComponent(id)}`)?.params, { id })
      },
    ),
  )
  fc.assert(fc.property(fc.string(), (path) => void router.find(`/${path}`)))
})

test('find() gives what is left to a placeholder of the rest, after everything that says more', () => {
  const pages = createRouter([at('GET', '/p'), at('GET', '/p/{path...}'), at('GET', '/p/assets/{file}'), at('GET', '/p/icon')])
  const pathOf = (path: string): unknown => {
    const found = pages.find(path)
    return found === undefined || found === 'malformed' ? found : [found.byMethod.get('GET')?.def.path, found.params]
  }
  assert.deepEqual(pathOf('/p'), ['/p', {}])
  assert.deepEqual(pathOf('/p/'), ['/p/{path...}', { path: '' }])
  assert.deepEqual(pathOf('/p/as/x/keys'), ['/p/{path...}', { path: 'as/x/keys' }])
  assert.deepEqual(pathOf('/p/assets/a.js'), ['/p/assets/{file}', { file: 'a.js' }])
  assert.deepEqual(pathOf('/p/icon'), ['/p/icon', {}])
  assert.equal(pathOf('/px'), undefined)
})

test('createRouter() refuses two routes at one address', () => {
  assert.throws(() => createRouter([at('GET', '/a/{id}'), at('GET', '/a/{name}')]), /two routes answer GET/)
})
