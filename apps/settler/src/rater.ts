import { createBookShelf, rateDirtyHours } from '@ascribe/ledger'
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

/** Rates what is dirty, as often as is worth it. */
export class Rater {
  readonly #db: Database
  readonly #meters: SettlerMeters
  readonly #books = createBookShelf()
  #restUntil = -Infinity
  #lookAt = -Infinity
  #isDirty = true

  constructor(db: Database, meters: SettlerMeters) {
    this.#db = db
    this.#meters = meters
  }

  /** Rates everything, unless `signal` fires. @throws {DatabaseError} */
  async rateAll(signal: AbortSignal | undefined): Promise<void> {
    while (signal?.aborted !== true && (await this.#rate(signal)));
  }

  /** Rates some hours if records came or it is time to look, and rating does not rest. Gives whether it is to go on at once. @throws {DatabaseError} */
  async rateIfDue(signal: AbortSignal, { isDirty }: { readonly isDirty: boolean }): Promise<boolean> {
    this.#isDirty ||= isDirty
    const startedAt = performance.now()
    if (startedAt < this.#restUntil || (!this.#isDirty && startedAt < this.#lookAt)) return false
    const more = await this.#rate(signal)
    const now = performance.now()
    this.#isDirty = more
    this.#lookAt = now + LOOK_MS
    this.#restUntil = more ? now : now + Math.min((now - startedAt) * REST_FACTOR, REST_MS_MAX)
    return more
  }

  async #rate(signal: AbortSignal | undefined): Promise<boolean> {
    const options = { limit: HOURS_MAX, books: this.#books, ...(signal !== undefined && { signal }) }
    const { hours, more } = await rateDirtyHours(this.#db, options)
    if (hours > 0) this.#meters.hoursRated.add(hours)
    return more
  }
}
