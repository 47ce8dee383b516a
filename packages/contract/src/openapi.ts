import { z } from 'zod'
import { EVENT_CONTENT_TYPES, EVENT_ROUTES } from './event-routes.ts'
import type { EventRoute } from './event-routes.ts'
import { API_ROUTES } from './routes.ts'
import type { ApiRoute } from './routes.ts'
import { ApiErrorSchema, ERROR_STATUS } from './schemas.ts'

type Json = Record<string, unknown>

/** The API as an OpenAPI 3.1 document. Deterministic: the same contract gives the same document. */
export function openApiDocument(): Json {
  const schemas: Json = {}
  const paths: Record<string, Json> = {}
  for (const route of API_ROUTES) paths[route.path] = { [route.method.toLowerCase()]: operation(route, schemas) }
  for (const route of Object.values(EVENT_ROUTES)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: eventOperation(route, schemas) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Ascribe usage and billing API', version: '1', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key: scope `billing:read` to read, `usage:write` to send events.' },
      },
      schemas,
    },
  }
}

/** Only those who take bodies answer with these. */
const BODY_CODES: ReadonlySet<string> = new Set(['conflicting_event', 'body_too_large', 'unsupported_media_type'])

function responsesOf(route: { readonly response: z.ZodType }, schemas: Json, omitted: (code: string) => boolean): Json {
  const error = { 'application/json': { schema: reference(ApiErrorSchema, schemas) } }
  const responses: Json = {
    200: { description: 'OK', content: { 'application/json': { schema: reference(route.response, schemas) } } },
  }
  for (const [code, status] of Object.entries(ERROR_STATUS)) {
    if (code !== 'route_not_found' && !omitted(code)) responses[status] = { description: code, content: error }
  }
  return responses
}

function eventOperation(route: EventRoute, schemas: Json): Json {
  const responses = responsesOf(
    route,
    schemas,
    (code) => code === 'organization_not_found' || (route.body === undefined && BODY_CODES.has(code)),
  )
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const bodies = route.body === undefined ? undefined : eventBodies(reference(route.body, schemas))
  return {
    operationId: route.operationId,
    summary: route.summary,
    parameters: [
      ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...(route.query === undefined ? [] : parameters('query', route.query, schemas)),
    ],
    ...(bodies !== undefined && { requestBody: { required: true, content: bodies } }),
    responses: bodies === undefined ? responses : { ...responses, 204: { description: 'Committed: every event is a record.' } },
  }
}

function eventBodies(event: Json): Json {
  const batch = { type: 'array', items: event }
  return Object.fromEntries(
    EVENT_CONTENT_TYPES.map((type) => [
      type,
      { schema: type.endsWith('/json') ? { anyOf: [event, batch] } : type.includes('batch') ? batch : event },
    ]),
  )
}

function operation(route: ApiRoute, schemas: Json): Json {
  const responses = responsesOf(route, schemas, (code) => BODY_CODES.has(code))
  return {
    operationId: route.operationId,
    summary: route.summary,
    parameters: [...parameters('path', route.params, schemas), ...parameters('query', route.query, schemas)],
    responses,
  }
}

function parameters(place: 'path' | 'query', schema: z.ZodType, schemas: Json): Json[] {
  const { properties = {}, required = [] } = inline(schema, schemas) as { properties?: Json; required?: string[] }
  return Object.entries(properties).map(([name, field]) => ({ name, in: place, required: required.includes(name), schema: field }))
}

/** A reference to a schema that has an id, which is added to `schemas`. */
function reference(schema: z.ZodType, schemas: Json): Json {
  const id = schema.meta()?.['id']
  if (typeof id !== 'string') return inline(schema, schemas)
  schemas[id] ??= inline(schema, schemas)
  return { $ref: `#/components/schemas/${id}` }
}

function inline(schema: z.ZodType, schemas: Json): Json {
  const made = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => void delete jsonSchema['id'],
  }) as Json
  const { $schema: _schema, $defs, ...rest } = made
  for (const [id, definition] of Object.entries(($defs ?? {}) as Json)) schemas[id] ??= moved(definition)
  return moved(rest) as Json
}

/** The same with references pointing to where OpenAPI keeps its schemas. */
function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string' ? inner.replace('#/$defs/', '#/components/schemas/') : moved(inner),
    ]),
  )
}
