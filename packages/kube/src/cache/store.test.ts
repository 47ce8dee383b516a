import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { KubeObject } from '../objects.ts'
import { createStore } from './store.ts'

type Doc = KubeObject & { readonly tags: readonly string[] }

const doc = (name: string, version: number, tags: readonly string[]): Doc => ({
  apiVersion: 'v1',
  kind: 'Doc',
  metadata: { name, uid: `uid-${name}`, resourceVersion: String(version) },
  tags,
})
const anyDoc = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(3), fc.uniqueArray(fc.constantFrom('x', 'y', 'z')))
const anyStep = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), doc: anyDoc }),
  fc.record({ kind: fc.constant('remove' as const), doc: anyDoc }),
  fc.record({ kind: fc.constant('replace' as const), docs: fc.uniqueArray(anyDoc, { selector: ([name]) => name }) }),
)

test('createStore() keeps its indexes equal to what they would be if they were made now', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const store = createStore<Doc>()
      store.addIndexes({ tag: ({ tags }) => tags })
      // A version is only the same for the same content.
      const made = (parts: readonly [string, number, readonly string[]], index: number): Doc =>
        doc(parts[0], index * 10 + parts[1], parts[2])
      for (const [index, step] of steps.entries()) {
        if (step.kind === 'put') store.put(made(step.doc, index))
        else if (step.kind === 'remove') store.remove(made(step.doc, index))
        else store.replace(step.docs.map((each) => made(each, index)))
        for (const tag of ['x', 'y', 'z']) {
          const expected = store.list().filter(({ tags }) => tags.includes(tag))
          assert.deepEqual(new Set(store.byIndex('tag', tag)), new Set(expected))
        }
      }
    }),
  )
})

test('replace() tells what is missing as deleted, and nothing of what is the same', () => {
  const store = createStore<Doc>()
  store.put(doc('a', 1, []))
  store.put(doc('b', 1, []))
  const changes = store.replace([doc('b', 1, []), doc('c', 1, [])])
  assert.deepEqual(
    changes.map(({ type, object }) => [type, object.metadata.name]),
    [
      ['deleted', 'a'],
      ['added', 'c'],
    ],
  )
})
