import type { Logger } from '@ascribe/kit'
import type { Reply } from '@ascribe/relay'
import type { Outcome } from '@ascribe/usage'
import type { Admitted } from './admission.ts'
import type { IdempotencyStore, KeyClaim } from './idempotency-store.ts'
import { takenReply, unavailableReply } from './idempotency.ts'
import { ConcurrencyCounts, crowdedReply } from './terms.ts'
import type { Asker, RequestTerms } from './terms.ts'

/** What a request takes up until it has ended: a place among its credential's requests, its `Idempotency-Key`. */
export type RequestClaim = {
  /** Its record is being settled. Gives when the client may have its last byte. */
  settle(outcome: Outcome, durable: Promise<void>): Promise<void>
  /** Its client has left without the whole reply. */
  clientGone(): void
  /** It was never sent. */
  release(): void
}

export type Claims = {
  readonly kind: 'granted'
  readonly terms: RequestTerms
  /** `undefined`: there is nothing to give back. */
  readonly claim: RequestClaim | undefined
}

/** `reason` is for the counter of refusals. */
export type ClaimRefused = { readonly kind: 'refused'; readonly reason: string; readonly reply: Reply }

export type RequestClaimsDeps = {
  readonly termsOf: (asker: Asker) => RequestTerms
  readonly keys: Pick<IdempotencyStore, 'claim' | 'complete' | 'free'>
  readonly logger: Logger
}

/** Grants each request what it needs for itself alone, before any work. */
export class RequestClaims {
  readonly #deps: RequestClaimsDeps
  readonly #counts = new ConcurrencyCounts()
  /** What is granted to requests that take nothing up, on the terms that were asked for last: as a rule those of the installation. */
  #plain: Claims | undefined

  constructor(deps: RequestClaimsDeps) {
    this.#deps = deps
  }

  /** Before the body has been read: whether there are too many already. Nothing is taken: the body may never come. */
  refusal(admitted: Admitted): ClaimRefused | undefined {
    return this.#crowded(admitted, this.#deps.termsOf(admitted))
  }

  /** With the body at hand. */
  take(admitted: Admitted, eventId: string): Claims | ClaimRefused {
    const { authId, idempotencyKey } = admitted.caller
    const terms = this.#deps.termsOf(admitted)
    const crowded = this.#crowded(admitted, terms)
    if (crowded !== undefined) return crowded
    const key = idempotencyKey === undefined ? undefined : this.#takeKey(authId, idempotencyKey, eventId)
    if (key !== undefined && 'reason' in key) return key
    if (key === undefined && terms.maxConcurrent === undefined) return this.#plainly(terms)
    const leave = terms.maxConcurrent === undefined ? undefined : this.#counts.take(authId)
    return { kind: 'granted', terms, claim: this.#claimOf(key, leave) }
  }

  #plainly(terms: RequestTerms): Claims {
    if (this.#plain?.terms !== terms) this.#plain = { kind: 'granted', terms, claim: undefined }
    return this.#plain
  }

  #crowded({ caller: { authId } }: Admitted, { maxConcurrent }: RequestTerms): ClaimRefused | undefined {
    if (maxConcurrent === undefined || !this.#counts.isFull(authId, maxConcurrent)) return undefined
    return { kind: 'refused', reason: 'concurrency', reply: crowdedReply(maxConcurrent) }
  }

  #takeKey(authId: string, key: string, eventId: string): KeyClaim | ClaimRefused {
    try {
      const outcome = this.#deps.keys.claim(authId, key, eventId)
      if (outcome.kind === 'claimed') return outcome.claim
      return { kind: 'refused', reason: `idempotency_${outcome.kind}`, reply: takenReply(outcome) }
    } catch (error) {
      this.#deps.logger.error('request refused: whether its Idempotency-Key was used cannot be told', { error })
      return { kind: 'refused', reason: 'idempotency_unavailable', reply: unavailableReply() }
    }
  }

  #claimOf(key: KeyClaim | undefined, leave: (() => void) | undefined): RequestClaim {
    const { keys } = this.#deps
    let held = key
    const free = (): void => {
      if (held !== undefined) keys.free(held)
      held = undefined
    }
    return {
      settle(outcome, durable) {
        // Before the client has its last byte: the next request of a client that sends one after the other must find the place free.
        leave?.()
        if (outcome !== 'completed') free()
        if (held === undefined) return durable
        const own = held
        // Durable first: a key is used when there is a record to name, and before the client can know that it is.
        return durable.then(
          () => keys.complete(own),
          (error: unknown) => {
            free()
            throw error
          },
        )
      },
      clientGone: free,
      release() {
        leave?.()
        free()
      },
    }
  }
}
