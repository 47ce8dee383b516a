import { AscribeError } from '@ascribe/kit'
import { applyPriceBook } from '@ascribe/ledger'
import type { NewPriceBook, Start } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { BookDiff } from '@ascribe/rating'
import { formatInstant } from '@ascribe/units'

/** A price book would change what has been charged. */
class PriceOverlapError extends AscribeError {
  override readonly code = 'PRICES_OVERLAP'
}

export type Applied = {
  readonly outcome: 'applied' | 'unchanged'
  readonly sequence?: number
  readonly currency?: string
  /** Null: from the beginning. */
  readonly effective_from?: string | null
  /** Of a supplement. */
  readonly effective_until?: string
  readonly diff?: BookDiff
}

/** Puts a price book in force. @throws {PriceOverlapError} when charges cover instants that it would govern */
export async function applyPrices(db: Database, input: NewPriceBook): Promise<Applied> {
  const outcome = await applyPriceBook(db, input)
  switch (outcome.kind) {
    case 'applied': {
      const { sequence, currency, effectiveFrom, effectiveUntil, diff } = outcome
      return {
        outcome: 'applied',
        sequence,
        currency,
        effective_from: startJson(effectiveFrom),
        ...(effectiveUntil !== undefined && { effective_until: formatInstant(effectiveUntil) }),
        diff,
      }
    }
    case 'unchanged':
      return { outcome: 'unchanged' }
    case 'overlap':
      throw new PriceOverlapError(
        `Cannot apply ${input.file} from ${input.effectiveFrom === undefined ? 'now' : startText(input.effectiveFrom)}: it would govern ${outcome.records} records that have been charged, the first at ${formatInstant(outcome.firstInstant)}; what has been charged is never repriced (--supplement prices only what has no price yet)`,
      )
  }
}

/** Null for the beginning of time. */
export function startJson(start: Start): string | null {
  return start === 'beginning' ? null : formatInstant(start)
}

export function startText(start: Start): string {
  return start === 'beginning' ? 'the beginning' : formatInstant(start)
}
