import type { CloudSigmaOwnerBinding } from '@ascribe/kinds'
import type { Clocks, Informer } from '@ascribe/kube'
import type { BindingNotes } from './binding-notes.ts'
import type { Snapshot } from './snapshot.ts'
import type { TokenSources } from './token-sources.ts'

export type AuthorityWatch = Disposable & {
  onChange(handler: (namespace: string | undefined) => void): () => void
}

type Deps = { readonly sources: TokenSources; readonly notes: BindingNotes; readonly clocks: Clocks }

/** Bindings end at an instant that no event tells of; this is how late it is noticed by what sleeps. (Requests notice at once.) */
const EXPIRY_SLACK_MS = 100
const TIMER_MS_MAX = 6 * 3600_000

/** Drops the tokens of who is revoked, in the same turn as the cache learns of it; and tells who waits. */
export function watchAuthority({ bindings, impersonators, namespaces }: Snapshot, { sources, notes, clocks }: Deps): AuthorityWatch {
  const handlers = new Set<(namespace: string | undefined) => void>()
  const tell = (namespace: string | undefined): void => {
    for (const handler of handlers) handler(namespace)
  }
  const revoke = (binding: CloudSigmaOwnerBinding): void => {
    sources.forget(binding.spec.subject.userUUID)
    tell(binding.spec.namespaceRef.name)
    expiries.clear(binding)
  }
  const expiries = watchExpiries(bindings, { clocks, revoke })
  const stops = [
    bindings.onChange(({ type, object, previous }) => {
      const { metadata, spec } = object
      if (type === 'deleted') {
        notes.forget(metadata.uid ?? '')
        return revoke(object)
      }
      if (metadata.deletionTimestamp !== undefined) {
        if (previous?.metadata.deletionTimestamp === undefined) revoke(object)
        return
      }
      // What only the status says changes nothing about who may be impersonated.
      if (previous !== undefined && previous.metadata.generation === metadata.generation && isHeld(previous) === isHeld(object)) return
      expiries.schedule(object)
      tell(spec.namespaceRef.name)
    }),
    impersonators.onChange(({ type, object, previous }) => {
      if (type === 'deleted') sources.retire(object.metadata.name)
      else if (previous !== undefined && previous.metadata.generation === object.metadata.generation) return
      tell(undefined)
    }),
    namespaces.onChange(({ type, object, previous }) => {
      const isSame = previous !== undefined && JSON.stringify(previous.metadata.labels) === JSON.stringify(object.metadata.labels)
      if (type !== 'updated' || !isSame) tell(object.metadata.name ?? '')
    }),
  ]
  // One token for all of an owner's machines: the first that gets it wakes the others, which find it in the cache.
  notes.onRecovery((uid) => {
    const binding = bindings.list().find(({ metadata }) => metadata.uid === uid)
    if (binding !== undefined) tell(binding.spec.namespaceRef.name)
  })
  return {
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop()
      expiries[Symbol.dispose]()
    },
  }
}

type Expiries = Disposable & { clear(binding: CloudSigmaOwnerBinding): void; schedule(binding: CloudSigmaOwnerBinding): void }
type ExpiryDeps = { readonly clocks: Clocks; readonly revoke: (binding: CloudSigmaOwnerBinding) => void }

function watchExpiries(bindings: Informer<CloudSigmaOwnerBinding>, { clocks, revoke }: ExpiryDeps): Expiries {
  const timers = new Map<string, Disposable>()
  const clear = (uid: string): void => {
    timers.get(uid)?.[Symbol.dispose]()
    timers.delete(uid)
  }
  const schedule = (binding: CloudSigmaOwnerBinding): void => {
    const uid = binding.metadata.uid ?? ''
    clear(uid)
    const left = Date.parse(binding.spec.expiresAt ?? '') - clocks.wall()
    if (!(left > 0)) return
    const timer = clocks.timer(Math.min(left + EXPIRY_SLACK_MS, TIMER_MS_MAX), () => {
      const now = bindings.get({ name: binding.metadata.name })
      if (now === undefined || now.metadata.uid !== uid) return
      if (Date.parse(now.spec.expiresAt ?? '') <= clocks.wall()) revoke(now)
      else schedule(now)
    })
    timers.set(uid, timer)
  }
  return {
    clear: ({ metadata }) => clear(metadata.uid ?? ''),
    schedule,
    [Symbol.dispose]() {
      for (const timer of timers.values()) timer[Symbol.dispose]()
      timers.clear()
    },
  }
}

function isHeld({ metadata }: CloudSigmaOwnerBinding): boolean {
  return (metadata.finalizers ?? []).length > 0
}
