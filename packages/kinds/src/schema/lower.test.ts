import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { structural } from './lower.ts'

test('structural() keeps what a structural schema knows, and adds int64', () => {
  const schema = z.object({
    name: z.string().max(10).meta({ description: 'A name.' }),
    size: z.int().min(1).exactOptional(),
    kind: z.enum(['a', 'b']),
    labels: z.record(z.string(), z.string().max(5)).meta({ maxProperties: 3 }),
    list: z.array(z.int()).max(2).meta({ 'x-kubernetes-list-type': 'set' }),
  })
  const { properties, required, type } = structural(schema) as {
    properties: Record<string, object>
    required: readonly string[]
    type: string
  }
  assert.equal(type, 'object')
  assert.deepEqual(required, ['name', 'kind', 'labels', 'list'])
  assert.deepEqual(properties['name'], { type: 'string', maxLength: 10, description: 'A name.' })
  assert.deepEqual(properties['size'], { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER, format: 'int64' })
  assert.deepEqual(properties['kind'], { type: 'string', enum: ['a', 'b'] })
  assert.deepEqual(properties['labels'], { type: 'object', maxProperties: 3, additionalProperties: { type: 'string', maxLength: 5 } })
  assert.equal((properties['list'] as { maxItems?: number }).maxItems, 2)
})

test('structural() writes the one union that Kubernetes knows', () => {
  const schema = z.object({ cpu: z.union([z.int(), z.string()]).meta({ 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+$' }) })
  assert.deepEqual((structural(schema) as { properties: object }).properties, {
    cpu: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+$' },
  })
})

test('structural() refuses what has no structural form, with its path', () => {
  const refused: readonly (readonly [z.ZodType, RegExp])[] = [
    [z.object({ a: z.object({ b: z.union([z.int(), z.string().max(1)]) }) }), /\.a\.b as a structural schema: anyOf has no place/],
    [
      z.object({ a: z.discriminatedUnion('k', [z.object({ k: z.literal('x') }), z.object({ k: z.literal('y') })]) }),
      /\.a as a structural schema: oneOf/,
    ],
    [z.object({ a: z.string().max(1).nullable() }), /\.a .*nullable/],
    [z.object({ a: z.unknown() }), /\.a .*no type/],
  ]
  for (const [schema, words] of refused) assert.throws(() => structural(schema), words)
})

test('structural() refuses text, lists and maps without a bound: the cost of rules is reckoned by them', () => {
  assert.throws(() => structural(z.object({ a: z.string() })), /\.a: text says maxLength/)
  assert.throws(() => structural(z.object({ a: z.array(z.int()) })), /\.a: a list says maxItems/)
  assert.throws(() => structural(z.object({ a: z.record(z.string(), z.int()) })), /\.a: a map says maxProperties/)
})
