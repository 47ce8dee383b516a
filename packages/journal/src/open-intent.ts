import type { Text } from './frame.ts'

/** An intent that was given to a journal, and the only thing that can settle it. */
export type OpenIntent = {
  readonly eventId: string
  /**
   * Resolves when the intent is written to the kernel, so that it survives `kill -9`; it joins the next fdatasync. Rejects as
   * {@link JournalWriter.intend} does: then there is nothing to settle.
   */
  readonly written: Promise<void>
  /** Whether it has its place in the journal, ahead of its settlement; false while it waits for space, and when it was refused. */
  readonly isPlaced: boolean
  /** Most bytes of the payload that settles it, as UTF-8. */
  readonly settlementBound: number
  /** As {@link JournalWriter.settle}. */
  settle(payload: Text): Promise<void>
}

/** Who settles. */
export type IntentOwner = { settleIntent(intent: Intent, payload: Text): Promise<void> }

/** `waiting`: for space. `gone`: it was refused, or is settled. */
export type IntentState = 'waiting' | 'placed' | 'gone'

export class Intent implements OpenIntent {
  readonly eventId: string
  /** Bytes that are held for its settlement: of the largest frame that may settle it. */
  readonly reserve: number
  readonly settlementBound: number
  state: IntentState = 'waiting'
  written: Promise<void> = NEVER
  /** Where it stands in {@link OpenIntents}. */
  index = -1
  /** It can be settled by its id too. */
  isNamed = false
  readonly #owner: IntentOwner

  constructor(owner: IntentOwner, eventId: string, bytes: { readonly reserve: number; readonly settlementBound: number }) {
    this.#owner = owner
    this.eventId = eventId
    this.reserve = bytes.reserve
    this.settlementBound = bytes.settlementBound
  }

  get isPlaced(): boolean {
    return this.state === 'placed'
  }

  settle(payload: Text): Promise<void> {
    return this.#owner.settleIntent(this, payload)
  }
}

const NEVER = new Promise<void>(() => {})

/** The intents that are open, in no order: an array, because a map to which each request adds and removes one never stays young. */
export class OpenIntents {
  readonly #all: Intent[] = []

  get size(): number {
    return this.#all.length
  }

  add(intent: Intent): void {
    intent.index = this.#all.length
    this.#all.push(intent)
  }

  remove(intent: Intent): void {
    const last = this.#all.pop()
    if (last === undefined || last === intent) return
    this.#all[intent.index] = last
    last.index = intent.index
  }

  /** Ids of those that have their place. */
  placedIds(): string[] {
    return this.#all.filter((intent) => intent.isPlaced).map((intent) => intent.eventId)
  }
}
