import { dirname, join } from 'node:path'
import type { AbortPolicy, KeyDirectory } from '@ascribe/identity'
import { isWriterDead } from '@ascribe/journal'
import type { Clock, Logger, TryLock } from '@ascribe/kit'
import { IdempotencyStore } from './idempotency-store.ts'
import { RequestClaims } from './request-claims.ts'
import { createTermsTable } from './terms.ts'
import type { DrainBounds } from './terms.ts'

export type OpenClaimsOptions = {
  readonly config: { readonly abort?: AbortPolicy; readonly drain: DrainBounds }
  /** Folder of all journals, the policy snapshot, the file of keys; default: beside the policy snapshot. */
  readonly places: { readonly journal: string; readonly policy: string; readonly idempotency?: string }
  readonly keys: Pick<KeyDirectory, 'snapshot' | 'ownerOf'>
  /** This gateway, as its journal calls it. */
  readonly writer: string
  readonly tryLock: TryLock
  readonly clock: Clock
  readonly logger: Logger
}

/** What requests of one gateway need for themselves alone, on the terms of the policy in force. */
export function openClaims({ config, places, keys, writer, tryLock, clock, logger }: OpenClaimsOptions): RequestClaims & Disposable {
  const store = new IdempotencyStore({
    path: places.idempotency ?? join(dirname(places.policy), 'idempotency.db'),
    writer,
    isDead: (other) => isWriterDead(join(places.journal, other), tryLock),
    clock,
    logger,
  })
  const termsOf = createTermsTable({
    installation: { abort: config.abort ?? 'drain', drain: config.drain },
    snapshot: () => keys.snapshot,
    ownerOf: (authId) => keys.ownerOf(authId),
  })
  return Object.assign(new RequestClaims({ termsOf, keys: store, logger }), { [Symbol.dispose]: () => store[Symbol.dispose]() })
}
