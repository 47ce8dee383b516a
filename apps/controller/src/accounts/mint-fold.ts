import type { AuditSink } from '@ascribe/impersonation'

/** Remembers which tokens were minted for whom, until an act for the same owner takes them into its record. */
export type MintFold = {
  /** Give this to the token source: stores the record where `sink` does, first. */
  readonly sink: AuditSink
  /** The tokens of an owner since it was asked last, oldest first, by the SHA-256 of each. */
  take(userId: string): readonly string[]
}

/** As many as one act says; the others are in the trail, and in the count of the day. */
const TOKENS_MAX = 16
/** Owners of whom something is remembered: beyond, the one that waited longest is forgotten, and the count of the day has it still. */
const OWNERS_MAX = 10_000

/** Folds what `sink` stores into acts. */
export function createMintFold(sink: AuditSink): MintFold {
  const tokens = new Map<string, string[]>()
  return {
    async sink(record) {
      await sink(record)
      const { ownerUuid, tokenId, outcome } = record
      if (outcome !== 'minted' || ownerUuid === undefined || tokenId === undefined) return
      const known = tokens.get(ownerUuid) ?? []
      if (known.length < TOKENS_MAX) known.push(tokenId)
      tokens.set(ownerUuid, known)
      if (tokens.size > OWNERS_MAX) tokens.delete(tokens.keys().next().value ?? '')
    },
    take(userId) {
      const taken = tokens.get(userId) ?? []
      tokens.delete(userId)
      return taken
    },
  }
}
