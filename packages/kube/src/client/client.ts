import type { KubeConnection, KubeRequest } from '../connection/types.ts'
import { isRecord } from '../connection/status.ts'
import { KubeError, isKubeError } from '../errors.ts'
import { apiVersionOf, isBeingDeleted, keyOf } from '../objects.ts'
import type { KubeObject, ObjectKey, Resource } from '../objects.ts'
import { finalizerCalls } from './finalizers.ts'
import { listAll } from './list.ts'
import { collectionPath, objectPath, operationOn } from './paths.ts'
import { reviewCalls } from './reviews.ts'
import type { ApplyOptions, DeleteOptions, Draft, KubeCallOptions, KubeClient, Patch, WriteOptions } from './types.ts'

const APPLY = 'application/apply-patch+yaml'
const PATCH_TYPES: Readonly<Record<Patch['type'], string>> = { merge: 'application/merge-patch+json', json: 'application/json-patch+json' }

/** Typed calls over a connection. Holds no state. */
export function createKubeClient(connection: KubeConnection): KubeClient {
  const calls = objectCalls(connection)
  return { ...calls, ...finalizerCalls(calls.patch), ...reviewCalls(connection) }
}

type ObjectCalls = Omit<KubeClient, 'addFinalizer' | 'removeFinalizer' | 'reviewAccess' | 'reviewToken'>

function objectCalls(connection: KubeConnection): ObjectCalls {
  const get: KubeClient['get'] = (resource, key, options) =>
    sendFor(connection, resource, {
      method: 'GET',
      path: objectPath(resource, key),
      operation: operationOn('get', resource, key),
      ...callOf(options),
    })
  return {
    get,
    async tryGet(resource, key, options) {
      try {
        return await get(resource, key, options)
      } catch (thrown) {
        if (isKubeError(thrown, 'NotFound')) return undefined
        throw thrown
      }
    },
    list: (resource, options) => listAll(connection, resource, options ?? {}),
    create(resource, object, options) {
      const key = draftKey(object)
      const path = collectionPath(resource, key.namespace)
      const operation = operationOn('create', resource, key)
      return sendFor(connection, resource, { method: 'POST', path, operation, body: typed(resource, object), ...writeOf(options) })
    },
    replace(resource, object, options) {
      const key = draftKey(object)
      const path = objectPath(resource, key)
      const operation = operationOn('replace', resource, key)
      return sendFor(connection, resource, { method: 'PUT', path, operation, body: typed(resource, object), ...writeOf(options) })
    },
    apply: (resource, object, options) => applyTo(connection, resource, { object, options }),
    applyStatus: (resource, object, options) => applyTo(connection, resource, { object, options, subresource: 'status' }),
    patch: (resource, key, options) => patchTo(connection, resource, { key, options }),
    patchStatus: (resource, key, options) => patchTo(connection, resource, { key, options, subresource: 'status' }),
    delete: (resource, key, options) => deleteFrom(connection, resource, { key, options: options ?? {} }),
  }
}

type Applied = { readonly object: Draft; readonly options: ApplyOptions; readonly subresource?: 'status' }

function applyTo<T extends KubeObject>(connection: KubeConnection, resource: Resource<T>, applied: Applied): Promise<T> {
  const { object, options, subresource } = applied
  const key = draftKey(object)
  const write = writeOf(options)
  return sendFor(connection, resource, {
    method: 'PATCH',
    path: objectPath(resource, key, subresource),
    operation: operationOn(subresource === undefined ? 'apply' : 'apply the status of', resource, key),
    // A JSON document is a YAML document.
    contentType: APPLY,
    body: typed(resource, object),
    ...write,
    query: { ...write.query, force: options.force === true ? true : undefined },
  })
}

type Patched = { readonly key: ObjectKey; readonly options: WriteOptions & { readonly patch: Patch }; readonly subresource?: 'status' }

function patchTo<T extends KubeObject>(connection: KubeConnection, resource: Resource<T>, patched: Patched): Promise<T> {
  const { key, options, subresource } = patched
  return sendFor(connection, resource, {
    method: 'PATCH',
    path: objectPath(resource, key, subresource),
    operation: operationOn(subresource === undefined ? 'patch' : 'patch the status of', resource, key),
    contentType: PATCH_TYPES[options.patch.type],
    body: options.patch.body,
    ...writeOf(options),
  })
}

async function deleteFrom<T extends KubeObject>(
  connection: KubeConnection,
  resource: Resource<T>,
  { key, options }: { readonly key: ObjectKey; readonly options: DeleteOptions },
): Promise<'deleted' | 'deleting' | 'gone'> {
  const { preconditions, propagation, dryRun } = options
  try {
    const { body } = await connection.send({
      method: 'DELETE',
      path: objectPath(resource, key),
      operation: operationOn('delete', resource, key),
      body: {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        ...(preconditions !== undefined && { preconditions }),
        ...(propagation !== undefined && { propagationPolicy: propagation }),
        ...(dryRun === true && { dryRun: ['All'] }),
      },
      ...callOf(options),
    })
    // The object itself comes back while something keeps it; else a Status.
    return isObject(body) && body.kind === resource.kind && isBeingDeleted(body) ? 'deleting' : 'deleted'
  } catch (thrown) {
    if (isKubeError(thrown, 'NotFound')) return 'gone'
    throw thrown
  }
}

async function sendFor<T extends KubeObject>(connection: KubeConnection, resource: Resource<T>, request: KubeRequest): Promise<T> {
  const { status, body } = await connection.send(request)
  if (isObject(body) && body.kind === resource.kind) {
    // The kind was asked for and answered; its fields are the API server's promise, by the schema of the CRD.
    return body as T
  }
  throw new KubeError(request.operation, { reason: 'Malformed', status, message: `the answer is no ${resource.kind}` })
}

export function isObject(body: unknown): body is KubeObject {
  return isRecord(body) && typeof body['kind'] === 'string' && typeof body['apiVersion'] === 'string' && isRecord(body['metadata'])
}

function draftKey(object: Draft): ObjectKey {
  return keyOf({ apiVersion: '', kind: '', metadata: object.metadata })
}

function typed(resource: Resource<KubeObject>, object: Draft): object {
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind }
}

function callOf(options: KubeCallOptions | undefined): Pick<KubeRequest, 'signal' | 'deadlineMs'> {
  const { signal, deadlineMs } = options ?? {}
  return { ...(signal !== undefined && { signal }), ...(deadlineMs !== undefined && { deadlineMs }) }
}

function writeOf(options: WriteOptions | undefined): Pick<KubeRequest, 'signal' | 'deadlineMs' | 'query'> {
  const { fieldManager, dryRun } = options ?? {}
  return { ...callOf(options), query: { fieldManager, dryRun: dryRun === true ? 'All' : undefined } }
}
