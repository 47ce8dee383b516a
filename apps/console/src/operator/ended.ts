/** Why nothing of the organization is shown any more. */
export type Ended =
  /** The acting session's time is up, or it was ended. */
  | { readonly kind: 'expired'; readonly at: number }
  /** The customer withdrew or refused access. */
  | { readonly kind: 'revoked'; readonly at: number }
  /** The sign-in is over: Teleport's, or the customer's. */
  | { readonly kind: 'signed_out'; readonly at: number }

/** What the shell and every query of a tab share: whether it still may show anything. */
export type EndedStore = {
  get(): Ended | undefined
  set(ended: Ended | undefined): void
  subscribe(listener: () => void): () => void
}

/** The first end counts: what fails afterwards fails because of it. */
export function createEndedStore(): EndedStore {
  let current: Ended | undefined
  const listeners = new Set<() => void>()
  return {
    get: () => current,
    set(ended) {
      if (ended !== undefined && current !== undefined) return
      current = ended
      for (const listener of listeners) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
