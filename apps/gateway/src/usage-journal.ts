import type { OpenIntent } from '@ascribe/journal'
import type { Intent, Settlement } from '@ascribe/usage'

/** What the gateway needs of a journal. Payloads are JSON. */
export type JournalPort = {
  admit(eventId: string, payload: string): OpenIntent
}

/** The record of one request on its way into the journal: an intent, then exactly one settlement. */
export type OpenRecord = {
  /** Resolves when the kernel has the intent; rejects when the request must not be served. */
  readonly admitted: Promise<void>
  /** Resolves when the settlement is as durable as the setting asks; rejects when it is not: the reply must then not be completed. */
  settle(settlement: Settlement): Promise<void>
}

/** Writes the intent of a request. */
export function openRecord(journal: JournalPort, intent: Intent): OpenRecord {
  const intentJson = JSON.stringify(intent)
  return new JournalRecord(journal.admit(intent.eventId, intentJson), intentJson)
}

class JournalRecord implements OpenRecord {
  readonly admitted: Promise<void>
  readonly #intent: OpenIntent
  readonly #intentJson: string

  constructor(intent: OpenIntent, intentJson: string) {
    this.admitted = intent.written
    this.#intent = intent
    this.#intentJson = intentJson
  }

  settle(settlement: Settlement): Promise<void> {
    const intent = this.#intent
    // Both are JSON objects with members: giving their texts in parts saves making, and walking, a third object.
    const record = [this.#intentJson.slice(0, -1), ',', JSON.stringify(settlement).slice(1)]
    if (intent.isPlaced) return intent.settle(record)
    // Given up while its intent waits for space. A settlement comes after its intent, or not at all.
    return this.admitted.then(
      () => intent.settle(record),
      () => {
        // No intent: nothing was sent up, and there is nothing to settle.
      },
    )
  }
}
