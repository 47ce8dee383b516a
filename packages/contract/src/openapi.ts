import { z } from 'zod'
import { API_ERRORS, ApiErrorSchema } from './errors.ts'
import type { ApiErrorCode } from './errors.ts'
import { isJsonReply } from './route.ts'
import type { Listener, RouteDef } from './route.ts'
import { routesOf } from './routes.ts'

type Json = Record<string, unknown>

const TITLES: Readonly<Record<Listener, string>> = {
  public: 'Ascribe usage and billing API',
  internal: 'Ascribe usage and billing API for operators',
  admin: 'Ascribe administration API',
}

/**
 * One listener as an OpenAPI 3.1 document. Deterministic: the same contract gives the same document. `isServed`: leaves out what an installation
 * has not switched on. Default: everything.
 */
export function openApiDocument(listener: Listener, isServed: (route: RouteDef) => boolean = () => true): Json {
  const schemas: Json = {}
  const paths: Record<string, Json> = {}
  for (const route of routesOf(listener).filter(isServed)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, listener, schemas) }
  }
  return {
    openapi: '3.1.0',
    info: { title: TITLES[listener], version: '1', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { securitySchemes: SECURITY[listener], schemas },
  }
}

const SECURITY: Readonly<Record<Listener, Json>> = {
  public: {
    key: { type: 'http', scheme: 'bearer', description: 'An API key: scope `billing:read` to read, `usage:write` to send events.' },
    token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "An access token of the customers' OIDC issuer." },
    session: { type: 'apiKey', in: 'cookie', name: '__Host-ascribe_session', description: "The console's session, after a login." },
  },
  internal: {
    assertion: { type: 'apiKey', in: 'header', name: 'Teleport-Jwt-Assertion', description: 'What Teleport adds to every request.' },
  },
  admin: { platform: { type: 'http', scheme: 'bearer', description: 'A credential of the platform.' } },
}

function securityOf(route: RouteDef, listener: Listener): readonly Json[] {
  if (route.subject === 'none') return []
  if (listener === 'internal') return [{ assertion: [] }]
  if (listener === 'admin') return [{ platform: [] }]
  const { scope, role } = route.needs
  return [...(scope === undefined ? [] : [{ key: [] }]), ...(role === undefined ? [] : [{ token: [] }, { session: [] }])]
}

/** How an operator says whose data is wanted: one of these, or `Accept: <uuid>` (billing-view.md 1.3). */
const SELECTION: readonly Json[] = [
  {
    name: 'X-Materialize-Organization-Id',
    in: 'header',
    required: false,
    description: 'Whose data: this, or `Accept: <uuid>`, or `Accept: application/vnd.ascribe+json;org=<uuid>`. Exactly one value.',
    schema: { type: 'string', format: 'uuid' },
  },
]

function operation(route: RouteDef, listener: Listener, schemas: Json): Json {
  return {
    operationId: route.operationId,
    summary: route.summary,
    security: securityOf(route, listener),
    parameters: [
      ...parameters('path', route.params, schemas),
      ...parameters('query', route.query, schemas),
      ...(listener === 'internal' && route.subject === 'organization' ? SELECTION : []),
      ...(listener === 'admin' && route.method === 'POST' ? IDEMPOTENCY : []),
    ],
    ...(route.body !== undefined && { requestBody: { required: true, content: bodyContent(route, route.body, schemas) } }),
    responses: responsesOf(route, listener, schemas),
  }
}

const IDEMPOTENCY: readonly Json[] = [
  {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key and request again: the first answer again, and nothing done twice.',
    schema: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[\\x21-\\x7e]+$' },
  },
]

function bodyContent(route: RouteDef, body: z.ZodType, schemas: Json): Json {
  const schema = reference(body, schemas)
  switch (route.bodyType) {
    case 'form':
      return { 'application/x-www-form-urlencoded': { schema } }
    case 'raw': {
      const batch = { type: 'array', items: schema }
      const shapes = (type: string): Json => (type.endsWith('/json') ? { anyOf: [schema, batch] } : type.includes('batch') ? batch : schema)
      return Object.fromEntries((route.bodyContent ?? []).map((type) => [type, { schema: shapes(type) }]))
    }
    default:
      return { 'application/json': { schema } }
  }
}

function responsesOf(route: RouteDef, listener: Listener, schemas: Json): Json {
  const error = { 'application/json': { schema: reference(ApiErrorSchema, schemas) } }
  const responses: Json = { [route.status ?? (route.reply === undefined ? 204 : 200)]: successOf(route, schemas) }
  for (const status of route.alsoStatus ?? []) responses[status] = { description: status === 204 ? 'Done, and nothing to tell.' : 'OK' }
  const codes = errorCodesOf(route, listener)
  for (const status of new Set(codes.map((code) => API_ERRORS[code].status))) {
    responses[status] = { description: codes.filter((code) => API_ERRORS[code].status === status).join(', '), content: error }
  }
  return responses
}

function successOf({ reply, status }: RouteDef, schemas: Json): Json {
  if (reply === undefined) return { description: status === 302 ? 'Goes on elsewhere: see Location.' : 'Done.' }
  if (isJsonReply(reply)) return { description: 'OK', content: { 'application/json': { schema: reference(reply, schemas) } } }
  return { description: 'OK', content: Object.fromEntries(reply.stream.map((type) => [type, { schema: { type: 'string' } }])) }
}

const ANY: readonly ApiErrorCode[] = [
  'invalid_request',
  'head_too_large',
  'request_timeout',
  'too_many_requests',
  'unavailable',
  'internal',
]
const WITH_BODY: readonly ApiErrorCode[] = ['body_too_large', 'unsupported_media_type', 'conflict', 'conflicting_event']
const INTERNAL: readonly ApiErrorCode[] = ['origin_refused', 'audit_unavailable']
const ACTING: readonly ApiErrorCode[] = [
  'organization_required',
  'organization_ambiguous',
  'acting_session_required',
  'acting_session_ended',
  'approval_required',
]

/** What an operation may answer with instead. */
function errorCodesOf(route: RouteDef, listener: Listener): readonly ApiErrorCode[] {
  return [
    ...ANY,
    ...(route.subject === 'none' ? [] : (['unauthenticated'] as const)),
    ...(route.needs.scope === undefined && route.needs.platform === undefined ? [] : (['insufficient_scope'] as const)),
    ...(route.needs.role === undefined && listener !== 'internal' ? [] : (['insufficient_role'] as const)),
    ...(route.subject === 'organization' ? (['organization_not_found', 'audit_unavailable'] as const) : []),
    ...(route.path.includes('{') || route.body !== undefined ? (['not_found'] as const) : []),
    ...(route.body === undefined ? [] : WITH_BODY),
    ...(route.method === 'GET' || listener === 'internal' ? [] : (['origin_refused', 'audit_unavailable', 'conflict'] as const)),
    ...(listener === 'admin' && route.method === 'POST' ? (['idempotency_conflict'] as const) : []),
    ...(listener === 'internal' ? INTERNAL : []),
    ...(listener === 'internal' && route.subject === 'organization' ? ACTING : []),
    ...(route.optional === 'login' ? (['issuer_unavailable', 'redirect_refused'] as const) : []),
    ...(route.status === 302 ? (['redirect_refused'] as const) : []),
  ]
}

function parameters(place: 'path' | 'query', schema: z.ZodType, schemas: Json): Json[] {
  const { properties = {}, required = [] } = inline(schema, schemas) as { properties?: Json; required?: string[] }
  return Object.entries(properties).map(([name, field]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: field,
  }))
}

/** A reference to a schema that has an id, which is added to `schemas`. */
function reference(schema: z.ZodType, schemas: Json): Json {
  const id = schema.meta()?.['id']
  if (typeof id !== 'string') return inline(schema, schemas)
  // Not in one expression: inline() may itself add what has this id, and gives a mere reference to it then.
  if (!(id in schemas)) {
    const made = inline(schema, schemas)
    schemas[id] ??= made
  }
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
