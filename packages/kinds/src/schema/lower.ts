import { z } from 'zod'

/** A node of a structural schema (apiextensions/v1 JSONSchemaProps). */
export type SchemaNode = { readonly [key: string]: unknown }

const KEPT: ReadonlySet<string> = new Set([
  'type',
  'format',
  'description',
  'default',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
])
/** Handled below, or without a meaning there: a structural schema prunes what it does not name. */
const DROPPED: ReadonlySet<string> = new Set(['properties', 'items', 'additionalProperties', 'propertyNames', '$schema'])

/**
 * A Zod schema as a structural schema of a CustomResourceDefinition. Refuses what has no structural form (`oneOf`, `anyOf`, `allOf`, `not`,
 * `$ref`, `nullable`) and what has no bound (text, lists and maps), since the cost of rules is reckoned by bounds.
 * @throws {TypeError} with the path of the node
 */
export function structural(schema: z.ZodType): SchemaNode {
  return lower(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }), '')
}

function lower(node: SchemaNode, path: string): SchemaNode {
  if (node['x-kubernetes-int-or-string'] === true) return intOrString(node)
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (KEPT.has(key)) out[key] = value
    else if (!DROPPED.has(key))
      throw new TypeError(`Cannot write ${path === '' ? 'the schema' : path} as a structural schema: ${key} has no place in it`)
  }
  if (typeof out['type'] !== 'string')
    throw new TypeError(`Cannot write ${path === '' ? 'the schema' : path} as a structural schema: it has no type`)
  return { ...out, ...childrenOf(node, path), ...boundsOf(out, path) }
}

function childrenOf(node: SchemaNode, path: string): SchemaNode {
  const { properties, items, additionalProperties } = node as {
    readonly properties?: Readonly<Record<string, SchemaNode>>
    readonly items?: SchemaNode
    readonly additionalProperties?: SchemaNode | boolean
  }
  return {
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, lower(child, `${path}.${name}`)])),
    }),
    ...(items !== undefined && { items: lower(items, `${path}[]`) }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: bounded(lower(additionalProperties, `${path}{}`), node, path),
    }),
  }
}

function bounded(child: SchemaNode, parent: SchemaNode, path: string): SchemaNode {
  if (parent['maxProperties'] === undefined) throw new TypeError(`Cannot bound ${path}: a map says maxProperties`)
  return child
}

function boundsOf({ type, maxItems, maxLength, enum: choices }: SchemaNode, path: string): SchemaNode {
  if (type === 'array' && maxItems === undefined) throw new TypeError(`Cannot bound ${path}: a list says maxItems`)
  if (type === 'string' && maxLength === undefined && choices === undefined)
    throw new TypeError(`Cannot bound ${path}: text says maxLength`)
  return type === 'integer' ? { format: 'int64' } : {}
}

/** The one union that Kubernetes knows. */
function intOrString({ description, pattern }: SchemaNode): SchemaNode {
  return {
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
    ...(description !== undefined && { description }),
    ...(pattern !== undefined && { pattern }),
  }
}
