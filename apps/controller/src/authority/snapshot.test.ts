import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Informers } from '@ascribe/kube'
import { createSnapshot } from './snapshot.ts'

/** Caches that were filled, and that nothing was heard of since. */
function informersSilentFor(silentMs: (plural: string) => number): Informers {
  return {
    informer: (resource) => ({
      resource,
      get: () => undefined,
      list: () => [],
      byIndex: () => [],
      hasSynced: () => true,
      silentMs: () => silentMs(resource.plural),
      onChange: () => () => {},
    }),
    synced: async () => {},
    hasSynced: () => true,
    [Symbol.asyncDispose]: async () => {},
  }
}

test('facts() trusts no cache that nothing was heard of for longer than a watch lasts: a revoked binding could stand in it (5.4, H-7)', () => {
  const options = { wall: () => 0, environment: undefined, legacy: undefined, hasPlatform: false }
  assert.equal(createSnapshot({ ...options, informers: informersSilentFor(() => 630_000) }).facts().isReady, true)
  for (const dead of ['cloudsigmaownerbindings', 'cloudsigmaimpersonators', 'namespaces']) {
    const informers = informersSilentFor((plural) => (plural === dead ? 3_600_000 : 0))
    assert.equal(createSnapshot({ ...options, informers }).facts().isReady, false, dead)
  }
})
