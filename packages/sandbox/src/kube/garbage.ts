import { isObject, textAt, withAt, at } from './json.ts'
import type { Json } from './json.ts'
import type { Objects } from './objects.ts'
import { texts } from './writes.ts'

/**
 * What kube-controller-manager does with what is left: dependents whose owners are all gone are deleted, and a namespace that is being
 * deleted empties itself and goes. Here it happens at once.
 */
export function collectGarbage(objects: Objects, now: () => Date): void {
  objects.onChange((id, { type, object }) => {
    if (type === 'DELETED') {
      removeDependents(objects, { uid: textAt(object, 'metadata', 'uid') ?? '', now })
      const namespace = textAt(object, 'metadata', 'namespace')
      if (namespace !== undefined) finishNamespace(objects, namespace)
    } else if (id === '/namespaces' && textAt(object, 'metadata', 'deletionTimestamp') !== undefined) {
      const name = textAt(object, 'metadata', 'name') ?? ''
      for (const each of objects.all()) if (textAt(each.object, 'metadata', 'namespace') === name) markOrRemove(objects, { ...each, now })
      finishNamespace(objects, name)
    }
  })
}

function removeDependents(objects: Objects, { uid, now }: { uid: string; now: () => Date }): void {
  for (const each of objects.all()) {
    const owners = at(each.object, ['metadata', 'ownerReferences'])
    if (!Array.isArray(owners) || !(owners as readonly Json[]).some((owner) => textAt(owner, 'uid') === uid)) continue
    const standing = (owners as readonly Json[]).some((owner) =>
      objects.all().some(({ object }) => textAt(object, 'metadata', 'uid') === textAt(owner, 'uid')),
    )
    if (!standing) markOrRemove(objects, { ...each, now })
  }
}

function markOrRemove(objects: Objects, { id, key, now }: { id: string; key: string; now: () => Date }): void {
  const stored = objects.get(id, key)
  if (stored === undefined || !isObject(stored.object)) return
  if (texts(at(stored.object, ['metadata', 'finalizers'])).length === 0) return void objects.remove(id, key)
  if (textAt(stored.object, 'metadata', 'deletionTimestamp') !== undefined) return
  const marked = withAt(
    stored.object,
    ['metadata', 'deletionTimestamp'],
    now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z'),
  )
  objects.put(id, key, { ...stored, object: marked })
}

function finishNamespace(objects: Objects, name: string): void {
  const namespace = objects.get('/namespaces', name)
  if (namespace === undefined || textAt(namespace.object, 'metadata', 'deletionTimestamp') === undefined) return
  const isEmpty = objects.all().every(({ object }) => textAt(object, 'metadata', 'namespace') !== name)
  if (isEmpty && texts(at(namespace.object, ['metadata', 'finalizers'])).length === 0) objects.remove('/namespaces', name)
}
