import type { IncomingMessage, ServerResponse } from 'node:http'
import { isObject, textAt } from './json.ts'
import type { Json, JsonObject } from './json.ts'
import type { Lists } from './lists.ts'
import { keyOfObject } from './objects.ts'
import type { Objects } from './objects.ts'
import { Refusal, badRequest, notFound } from './refusal.ts'
import { selectorOf } from './selectors.ts'
import { idOf, keyOfTarget, unserved } from './target.ts'
import type { Target } from './target.ts'
import type { KubeUser, KubeVerb } from './types.ts'
import type { Users } from './users.ts'
import type { Watches } from './watches.ts'
import { create, patch, remove, replace } from './writes.ts'
import type { WriteFacts } from './writes.ts'

export type World = {
  readonly objects: Objects
  readonly watches: Watches
  readonly lists: Lists
  readonly users: Users
  readonly kinds: Map<string, { readonly kind: string; readonly apiVersion: string }>
  readonly unserved: Set<string>
  readonly pageMax: number
  readonly now: () => Date
}

export type Call = {
  readonly target: Target
  readonly verb: KubeVerb
  readonly query: URLSearchParams
  readonly contentType: string
  readonly userAgent: string
  /** Who sends it. */
  readonly user: KubeUser
  readonly body: Json | undefined
  readonly response: ServerResponse
}

/** `undefined`: a watch, which answers by itself. */
export type Answer = { readonly status: number; readonly body: object } | undefined

export function verbOf(method: string, { name }: Target, query: URLSearchParams): KubeVerb {
  switch (method) {
    case 'GET':
      return ['true', '1'].includes(query.get('watch') ?? '') ? 'watch' : name === undefined ? 'list' : 'get'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return 'delete'
    default:
      throw new Refusal(405, 'MethodNotAllowed', { message: `${method} is not supported` })
  }
}

export function answer(world: World, call: Call): Answer {
  const { target, verb } = call
  if (world.unserved.has(target.plural)) throw unserved()
  switch (verb) {
    case 'get': {
      const found = world.objects.get(idOf(target), keyOfTarget(target))
      if (found === undefined) throw notFound(target.plural, target.name ?? '')
      return { status: 200, body: found.object }
    }
    case 'list':
      return { status: 200, body: list(world, call) }
    case 'watch':
      world.watches.open({
        id: idOf(target),
        plural: target.plural,
        ...kindOf(world, target),
        selects: selectorFor(call),
        query: call.query,
        response: call.response,
      })
      return undefined
    case 'create':
      return creation(world, call)
    case 'update': {
      const { object } = replace(world.objects, target, { body: learnt(world, call), facts: factsOf(world, call) })
      return { status: 200, body: object }
    }
    case 'patch': {
      if (call.body === undefined) throw badRequest('a patch has a body')
      if (call.contentType.startsWith('application/apply-patch')) learnt(world, call)
      const { object, isNew } = patch(world.objects, target, { type: call.contentType, body: call.body, facts: factsOf(world, call) })
      return { status: isNew ? 201 : 200, body: object }
    }
    case 'delete': {
      if (target.name === undefined) throw new Refusal(405, 'MethodNotAllowed', { message: 'collections are not deleted here' })
      const standing = remove(world.objects, target, { options: call.body ?? {}, facts: factsOf(world, call) })
      return {
        status: 200,
        body: standing ?? {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Success',
          details: { name: target.name, kind: target.plural },
        },
      }
    }
  }
}

function creation(world: World, call: Call): Answer {
  const { target } = call
  const body = learnt(world, call)
  if (target.plural === 'subjectaccessreviews') return { status: 201, body: { ...body, status: world.users.reviewAccess(body) } }
  if (target.plural === 'tokenreviews') return { status: 201, body: { ...body, status: world.users.reviewToken(body) } }
  if (target.plural === 'selfsubjectreviews')
    return { status: 201, body: { ...body, status: { userInfo: { username: call.user.name, groups: [...(call.user.groups ?? [])] } } } }
  const { namespace } = target
  if (namespace !== undefined) {
    const found = world.objects.get('/namespaces', namespace)
    if (found === undefined) throw notFound('namespaces', namespace)
    if (textAt(found.object, 'metadata', 'deletionTimestamp') !== undefined)
      throw new Refusal(403, 'Forbidden', {
        message: `unable to create new content in namespace ${namespace} because it is being terminated`,
      })
  }
  const own = textAt(body, 'metadata', 'namespace')
  if (own !== undefined && own !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  const { object } = create(world.objects, target, { body, facts: factsOf(world, call) })
  return { status: 201, body: object }
}

/** The object of the body; what kind the resource has is remembered. */
function learnt({ kinds }: World, { body, target }: Call): JsonObject {
  if (!isObject(body)) throw badRequest('the body is no object')
  const [kind, apiVersion] = [textAt(body, 'kind'), textAt(body, 'apiVersion')]
  if (kind === undefined || apiVersion === undefined) throw badRequest("Object 'Kind' is missing")
  const expected = target.group === '' ? target.version : `${target.group}/${target.version}`
  if (apiVersion !== expected)
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${expected})`)
  const known = kinds.get(idOf(target))
  if (known !== undefined && known.kind !== kind)
    throw badRequest(`${kind} in version "${target.version}" cannot be handled as a ${known.kind}`)
  kinds.set(idOf(target), { kind, apiVersion })
  const name = textAt(body, 'metadata', 'name')
  if (target.name !== undefined && name !== undefined && name !== target.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`)
  return body
}

function kindOf({ kinds }: World, target: Target): { readonly kind: string; readonly apiVersion: string } {
  const apiVersion = target.group === '' ? target.version : `${target.group}/${target.version}`
  return kinds.get(idOf(target)) ?? { kind: target.plural, apiVersion }
}

function selectorFor({ target, query }: Call): (object: JsonObject) => boolean {
  return selectorOf({
    namespace: target.namespace,
    labels: query.get('labelSelector') ?? undefined,
    fields: query.get('fieldSelector') ?? undefined,
  })
}

function list(world: World, call: Call): object {
  const { target, query } = call
  const selects = selectorFor(call)
  const asked = Number(query.get('limit') ?? 0)
  const { kind, apiVersion } = kindOf(world, target)
  const page = world.lists.page({
    token: query.get('continue'),
    limit: asked > 0 && world.pageMax > 0 ? Math.min(asked, world.pageMax) : asked,
    take: () => ({ items: world.objects.list(idOf(target)).filter(selects), revision: world.objects.revision }),
  })
  return {
    kind: `${kind}List`,
    apiVersion,
    metadata: {
      resourceVersion: String(page.revision),
      ...(page.token !== undefined && { continue: page.token, remainingItemCount: page.remaining }),
    },
    items: page.items,
  }
}

function factsOf({ now }: World, { query, userAgent }: Call): WriteFacts {
  // As the real server: a writer that names no manager is known by the first part of its user agent.
  const manager = query.get('fieldManager') ?? userAgent.split('/', 1)[0] ?? 'unknown'
  return { manager, dryRun: query.get('dryRun') === 'All', force: query.get('force') === 'true', now }
}

/** Only what `put` of the sandbox's owner writes passes by the API. */
export function seed(world: World, plural: string, object: JsonObject): JsonObject {
  const apiVersion = textAt(object, 'apiVersion') ?? ''
  const kind = textAt(object, 'kind') ?? ''
  const id = `${apiVersion.includes('/') ? apiVersion.split('/', 1)[0] : ''}/${plural}`
  world.kinds.set(id, { kind, apiVersion })
  const key = keyOfObject(object)
  const before = world.objects.get(id, key)
  const metadata = isObject(object['metadata']) ? object['metadata'] : {}
  const known = isObject(before?.object['metadata'])
    ? before.object['metadata']
    : { uid: crypto.randomUUID(), creationTimestamp: world.now().toISOString(), generation: 1 }
  return world.objects.put(id, key, {
    object: { ...object, metadata: { ...known, ...metadata } },
    ownership: before?.ownership ?? new Map(),
  })
}

export function readBody(request: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  request.on('error', reject)
  request.on('aborted', () => reject(new Error('the client left')))
  return promise
}
