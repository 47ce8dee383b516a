import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApiDocument } from './openapi.ts'
import { EVENT_ROUTES } from './event-routes.ts'
import { API_ROUTES } from './routes.ts'

test('openApiDocument() describes every operation once, with its parameters', () => {
  const { paths } = openApiDocument() as { paths: Record<string, Record<string, { operationId: string; parameters: { name: string }[] }>> }
  const described = Object.values(paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId))
  assert.deepEqual(described.toSorted(), [...API_ROUTES, ...Object.values(EVENT_ROUTES)].map(({ operationId }) => operationId).toSorted())
  const names = paths['/v1/organizations/{id}/statement']?.['get']?.parameters.map(({ name }) => name)
  assert.deepEqual(names, ['id', 'month'])
})

test('openApiDocument() leaves no reference dangling', () => {
  const document = openApiDocument() as { components: { schemas: Record<string, unknown> } }
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target ?? '')
  assert.ok(references.length > 0)
  for (const target of references) {
    assert.match(target, /^#\/components\/schemas\//)
    assert.ok(document.components.schemas[target.split('/').at(-1) ?? ''], `${target} points nowhere`)
  }
})
