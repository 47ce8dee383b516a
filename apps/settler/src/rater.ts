import { createBookShelf, newestMark, rateDirtyHours } from '@ascribe/ledger'
import type { RateOptions, RateSummary } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { SettlerMeters } from './settler-meters.ts'

/** What others may have changed (prices, mappings) is looked for this often when no record came. */
const LOOK_MS = 400
/** Hours rated in one go; then journals have their turn. */
const HOURS_MAX = 20
/**
 * An hour is rated as a whole, so the current one costs more the fuller it is: rating rests four times as long as it worked,
 * at most so long. Small hours are rated at once.
 */
const REST_FACTOR = 4
const REST_MS_MAX = 10_000
/**
 * While a backlog is shipped, hours that it goes on filling wait until it has passed them, so that each is rated about once; but no longer
 * than this, or than four times what rating them takes: a backlog may lie in one long hour, and somebody may be looking at its statement.
 */
const GROWING_MS = 5000

/** Rates what is dirty, as often as is worth it. */
export class Rater {
  readonly #db: Database
  readonly #meters: SettlerMeters
  readonly #books = createBookShelf()
  #restUntil = -Infinity
  #lookAt = -Infinity
  /** By the last go over all hours. */
  #tookMs = 0
  #isDirty = true
  /** While a backlog is shipped: the newest mark when it was looked at last, and how long hours with newer ones may wait. */
  #growing: { readonly mark: bigint; readonly until: number } | undefined

  constructor(db: Database, meters: SettlerMeters) {
    this.#db = db
    this.#meters = meters
  }

  /** Rates everything, unless `signal` fires. @throws {DatabaseError} */
  async rateAll(signal: AbortSignal | undefined): Promise<void> {
    while (signal?.aborted !== true && (await this.#rate({ signal })).more);
  }

  /**
   * Rates some hours if records came or it is time to look, and rating does not rest. `isBacklog`: more records wait to be shipped. Gives
   * whether it is to go on at once. @throws {DatabaseError}
   */
  async rateIfDue(
    signal: AbortSignal,
    { isDirty, isBacklog }: { readonly isDirty: boolean; readonly isBacklog: boolean },
  ): Promise<boolean> {
    this.#isDirty ||= isDirty
    if (isBacklog && (await this.#ratePassed(signal))) return false
    const startedAt = performance.now()
    if (startedAt < this.#restUntil || (!this.#isDirty && startedAt < this.#lookAt)) return false
    const { hours, more } = await this.#rate({ signal })
    const now = performance.now()
    this.#tookMs = now - startedAt
    this.#isDirty = more
    this.#lookAt = now + LOOK_MS
    // More than one go takes is done at once; what has come meanwhile is not.
    const isCut = more && hours >= HOURS_MAX
    this.#restUntil = isCut ? now : now + Math.min(this.#tookMs * REST_FACTOR, REST_MS_MAX)
    this.#growing = undefined
    return isCut
  }

  /** Rates hours that a backlog has passed; `false`: those that it still fills have waited long enough. */
  async #ratePassed(signal: AbortSignal): Promise<boolean> {
    const now = performance.now()
    const growing = this.#growing
    this.#growing = { mark: await newestMark(this.#db), until: growing?.until ?? now + Math.max(GROWING_MS, this.#tookMs * REST_FACTOR) }
    if (growing === undefined) return true
    if (now >= growing.until) return false
    await this.#rate({ signal, unmarkedSince: growing.mark })
    return true
  }

  async #rate(options: Pick<RateOptions, 'unmarkedSince'> & { readonly signal: AbortSignal | undefined }): Promise<RateSummary> {
    const { signal, ...others } = options
    const summary = await rateDirtyHours(this.#db, {
      limit: HOURS_MAX,
      books: this.#books,
      ...(signal !== undefined && { signal }),
      ...others,
    })
    if (summary.hours > 0) this.#meters.hoursRated.add(summary.hours)
    return summary
  }
}
