import { isRecord } from '../connection/status.ts'
import type { KubeConnection } from '../connection/types.ts'
import { KubeError, isKubeError } from '../errors.ts'
import { apiVersionOf } from '../objects.ts'
import type { KubeObject, Resource } from '../objects.ts'
import { collectionPath, operationOn } from './paths.ts'
import type { KubeList, ListOptions } from './types.ts'

/** As client-go's. */
const PAGE_SIZE = 500
/** 10,000 pages of 500: a server that never ends its list is broken. */
const PAGES_MAX = 10_000

/**
 * All pages of a list, which are of one instant. A continuation that has expired in the middle (410: etcd was compacted) makes the list
 * begin again, the second time without pages, which cannot expire.
 */
export async function listAll<T extends KubeObject>(
  connection: KubeConnection,
  resource: Resource<T>,
  options: ListOptions,
): Promise<KubeList<T>> {
  try {
    return await listPages(connection, resource, options)
  } catch (thrown) {
    if (!isKubeError(thrown, 'Expired', 'Gone')) throw thrown
    return listPages(connection, resource, { ...options, pageSize: 0 })
  }
}

async function listPages<T extends KubeObject>(
  connection: KubeConnection,
  resource: Resource<T>,
  options: ListOptions,
): Promise<KubeList<T>> {
  const { namespace, labelSelector, fieldSelector, pageSize = PAGE_SIZE, signal, deadlineMs, resourceVersion } = options
  const operation = operationOn('list', resource)
  const items: T[] = []
  let token: string | undefined
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { status, body } = await connection.send({
      method: 'GET',
      path: collectionPath(resource, namespace),
      query: {
        labelSelector,
        fieldSelector,
        limit: pageSize > 0 ? pageSize : undefined,
        continue: token,
        // Of later pages the token says which instant they are of.
        resourceVersion: token === undefined ? resourceVersion : undefined,
      },
      operation,
      ...(signal !== undefined && { signal }),
      ...(deadlineMs !== undefined && { deadlineMs }),
    })
    const list = readList(body)
    if (list === undefined) throw new KubeError(operation, { reason: 'Malformed', status, message: 'the answer is no list' })
    // Items of a list do not say what they are; objects of ours always do.
    for (const item of list.items) items.push({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind } as T)
    token = list.token
    if (token === undefined) return { items, resourceVersion: list.resourceVersion }
  }
  throw new KubeError(operation, { reason: 'Malformed', message: `the list has more than ${PAGES_MAX} pages` })
}

function readList(body: unknown): { items: object[]; resourceVersion: string; token: string | undefined } | undefined {
  if (!isRecord(body) || !isRecord(body['metadata'])) return undefined
  const items: unknown = body['items'] ?? []
  const { resourceVersion, continue: token } = body['metadata']
  if (!Array.isArray(items) || !items.every(isRecord) || typeof resourceVersion !== 'string') return undefined
  return { items, resourceVersion, token: typeof token === 'string' && token !== '' ? token : undefined }
}
