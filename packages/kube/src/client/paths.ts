import { InputError } from '@ascribe/kit'
import { keyText } from '../objects.ts'
import type { KubeObject, ObjectKey, Resource } from '../objects.ts'

/** `/api/v1/namespaces/a/secrets`, `/apis/apps/v1/deployments`. Without a namespace: all of them. */
export function collectionPath(resource: Resource<KubeObject>, namespace?: string): string {
  const base = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  return resource.namespaced && namespace !== undefined
    ? `${base}/namespaces/${segment(namespace, 'namespace')}/${resource.plural}`
    : `${base}/${resource.plural}`
}

/** @throws {InputError} when a key and its resource do not agree about a namespace. */
export function objectPath(resource: Resource<KubeObject>, key: ObjectKey, subresource?: string): string {
  if (resource.namespaced && key.namespace === undefined)
    throw new InputError(`Cannot address ${resource.kind} ${key.name}: it lives in a namespace, and none was given`)
  const path = `${collectionPath(resource, key.namespace)}/${segment(key.name, 'name')}`
  return subresource === undefined ? path : `${path}/${subresource}`
}

/** `get CloudSigmaMachine a/b`. */
export function operationOn(verb: string, resource: Resource<KubeObject>, key?: ObjectKey): string {
  return key === undefined ? `${verb} ${resource.plural}` : `${verb} ${resource.kind} ${keyText(key)}`
}

function segment(text: string, what: string): string {
  // `.` and `..` would change the path, and an empty one would name the collection: deleting it deletes everything.
  if (text === '' || text === '.' || text === '..' || text.includes('/') || text.includes('%'))
    throw new InputError(`Cannot address an object: ${JSON.stringify(text)} is no ${what}`)
  return encodeURIComponent(text)
}
