import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApiDocument } from './openapi.ts'
import { LISTENERS } from './route.ts'
import { API_ROUTES, routesOf } from './routes.ts'

type Paths = { paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[] }>> }

test('openApiDocument() describes every operation of a listener once, with its parameters', () => {
  for (const listener of LISTENERS) {
    const { paths } = openApiDocument(listener) as Paths
    const described = Object.values(paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId))
    assert.deepEqual(
      described.toSorted(),
      routesOf(listener)
        .map(({ operationId }) => operationId)
        .toSorted(),
    )
  }
  const { paths } = openApiDocument('public') as Paths
  const names = paths['/v1/organizations/{id}/statement']?.['get']?.parameters.map(({ name }) => name)
  assert.deepEqual(names, ['id', 'month'])
})

test('API_ROUTES names every parameter of a path in its schema, and no operation, nor method and path, twice', () => {
  for (const listener of LISTENERS) {
    const { paths } = openApiDocument(listener) as Paths
    for (const [path, operations] of Object.entries(paths)) {
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
      for (const { operationId, parameters } of Object.values(operations)) {
        const said = parameters.flatMap((each) => (each.in === 'path' ? [each.name] : []))
        assert.deepEqual(new Set(said), new Set(wanted), operationId)
      }
    }
  }
  assert.equal(new Set(API_ROUTES.map(({ operationId }) => operationId)).size, API_ROUTES.length)
  for (const listener of LISTENERS) {
    const places = routesOf(listener).map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`)
    assert.equal(new Set(places).size, places.length, listener)
  }
})

test('openApiDocument() leaves no reference dangling', () => {
  for (const listener of LISTENERS) {
    const document = openApiDocument(listener) as { components: { schemas: Record<string, unknown> } }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target ?? '')
    for (const target of references) {
      assert.match(target, /^#\/components\/schemas\//)
      assert.ok(document.components.schemas[target.split('/').at(-1) ?? ''], `${target} points nowhere`)
    }
  }
})

test('openApiDocument() says of every schema what it holds: none is a mere reference to itself', () => {
  for (const listener of LISTENERS) {
    const { components } = openApiDocument(listener) as { components: { schemas: Record<string, { $ref?: string; type?: string }> } }
    assert.ok(Object.keys(components.schemas).length > 2)
    for (const [id, schema] of Object.entries(components.schemas)) assert.notEqual(schema.$ref, `#/components/schemas/${id}`)
  }
})
