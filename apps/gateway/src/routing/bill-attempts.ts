import type { Attempt, Settlement } from '@ascribe/usage'

type Tried = Pick<Attempt, 'upstream' | 'startedMs' | 'endedMs' | 'status' | 'failure'>

export type Tries = {
  /** Those whose replies nobody got, in order. `mayHaveBegun`: the upstream had the request, and did not refuse it. */
  readonly failed: readonly (Tried & { readonly mayHaveBegun: boolean })[]
  /** The one whose reply, or failure, the client got. */
  readonly last: Tried
  /** What is put down for the prompt of each failed one that may have begun; `undefined`: they are not billed. */
  readonly promptTokens: number | undefined
}

/**
 * The settlement of a request that went to several upstreams: its own quantities are those of the reply that the client got. What the others
 * used nobody has said, so it is unknown; where the route bills them, the prompt is estimated for each that may have begun, and added to
 * a record whose own quantities are known. Nothing is ever added to what is unknown, and a generated token that nobody saw is never guessed.
 */
export function billed(own: Settlement, { failed, last, promptTokens }: Tries): Settlement {
  const isAdding = promptTokens !== undefined && own.promptTokens !== null
  const attempts: Attempt[] = failed.map(({ mayHaveBegun, ...tried }) =>
    isAdding && mayHaveBegun
      ? { ...tried, provenance: 'estimated', meters: { input_tokens: promptTokens }, billed: true }
      : { ...tried, provenance: 'unknown', meters: {}, billed: false },
  )
  attempts.push({ ...last, provenance: own.provenance, meters: own.meters, billed: own.promptTokens !== null })
  const added = attempts.slice(0, -1).filter((attempt) => attempt.billed).length * (promptTokens ?? 0)
  if (added === 0 || own.promptTokens === null) return { ...own, attempts }
  return {
    ...own,
    provenance: 'estimated',
    promptTokens: own.promptTokens + added,
    meters: { ...own.meters, input_tokens: (own.meters['input_tokens'] ?? 0) + added },
    attempts,
  }
}
