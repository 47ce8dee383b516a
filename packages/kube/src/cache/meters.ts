import type { Meters } from '@ascribe/kit'
import type { KubeObject, Resource } from '../objects.ts'

export type ReflectorMeters = {
  listing(resource: Resource<KubeObject>): void
  watching(resource: Resource<KubeObject>, how: 'watch' | 'list'): void
  failed(resource: Resource<KubeObject>, reason: string): void
}

export function createReflectorMeters(meters: Meters): ReflectorMeters {
  const lists = meters.counter('ascribe_kube_lists_total', 'Lists that filled a cache, by resource.')
  const watches = meters.counter('ascribe_kube_watches_total', 'Watches that were opened, by resource and whether they began with a list.')
  const failures = meters.counter('ascribe_kube_watch_failures_total', 'Lists and watches that broke, by resource and reason.')
  return {
    listing: ({ plural }) => lists.add(1, { resource: plural }),
    watching: ({ plural }, how) => watches.add(1, { resource: plural, begins: how }),
    failed: ({ plural }, reason) => failures.add(1, { resource: plural, reason }),
  }
}
