import { KubeError, isKubeError } from '../errors.ts'
import { keyOf } from '../objects.ts'
import type { KubeObject, Resource } from '../objects.ts'
import type { JsonPatchOperation, KubeClient, WriteOptions } from './types.ts'

type FinalizerOptions = WriteOptions & { readonly finalizer: string }
type Calls = Pick<KubeClient, 'addFinalizer' | 'removeFinalizer'>

/**
 * Finalizers by JSON patch with tests, not by apply or merge: a merge patch would write back a list that somebody else has changed
 * meanwhile, and applying would make us own the whole entry.
 */
export function finalizerCalls(patch: KubeClient['patch']): Calls {
  async function change<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    { options, next }: { readonly options: FinalizerOptions; readonly next: readonly string[] },
  ): Promise<T> {
    try {
      return await patch(resource, keyOf(object), { ...options, patch: { type: 'json', body: operations(object, next) } })
    } catch (thrown) {
      // A failed test says 422 with nothing about a field; what it means is that the object moved.
      if (!isKubeError(thrown, 'Invalid') || thrown.fields.length > 0) throw thrown
      throw new KubeError(`change the finalizers of ${resource.kind} ${object.metadata.name}`, {
        reason: 'Conflict',
        status: 409,
        message: 'they were changed meanwhile',
      })
    }
  }

  return {
    async addFinalizer(resource, object, options) {
      const now = object.metadata.finalizers ?? []
      if (now.includes(options.finalizer)) return object
      return change(resource, object, { options, next: [...now, options.finalizer] })
    },
    async removeFinalizer(resource, object, options) {
      const now = object.metadata.finalizers ?? []
      if (!now.includes(options.finalizer)) return object
      try {
        return await change(resource, object, { options, next: now.filter((each) => each !== options.finalizer) })
      } catch (thrown) {
        if (isKubeError(thrown, 'NotFound')) return undefined
        throw thrown
      }
    },
  }
}

const LIST = '/metadata/finalizers'

function operations(object: KubeObject, next: readonly string[]): JsonPatchOperation[] {
  const { uid, finalizers = [] } = object.metadata
  const sameObject: JsonPatchOperation[] = uid === undefined ? [] : [{ op: 'test', path: '/metadata/uid', value: uid }]
  if (finalizers.length === 0) {
    // There is nothing to test: that the list is missing cannot be said, so the version says it.
    const { resourceVersion } = object.metadata
    const sameVersion: JsonPatchOperation[] =
      resourceVersion === undefined ? [] : [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }]
    return [...sameObject, ...sameVersion, { op: 'add', path: LIST, value: next }]
  }
  const change: JsonPatchOperation = next.length === 0 ? { op: 'remove', path: LIST } : { op: 'replace', path: LIST, value: next }
  return [...sameObject, { op: 'test', path: LIST, value: finalizers }, change]
}
