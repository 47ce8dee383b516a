import type { KubeObject, ObjectKey, Resource } from '../src/index.ts'

/** A kind for tests. */
export type Thing = KubeObject & {
  readonly spec?: { readonly size?: number; readonly colour?: string; readonly owner?: string }
  readonly status?: { readonly phase?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export const THINGS: Resource<Thing> = { group: 'test.ascribe.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true }

export function thing(namespace: string, name: string, spec: NonNullable<Thing['spec']>): Thing {
  return { apiVersion: 'test.ascribe.dev/v1', kind: 'Thing', metadata: { namespace, name }, spec }
}

export function thingKey(namespace: string, name: string): ObjectKey {
  return { namespace, name }
}
