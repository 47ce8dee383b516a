import type { Intent, Settlement } from '@ascribe/usage'

/** What the gateway needs of a journal. Payloads are JSON. */
export type JournalPort = {
  /** Resolves when the kernel has the intent. */
  intend(eventId: string, payload: string): Promise<void>
  /** Resolves when the settlement is as durable as the setting asks. */
  settle(eventId: string, payload: string): Promise<void>
}

/** The record of one request on its way into the journal: an intent, then exactly one settlement. */
export type OpenRecord = {
  /** Rejects when the request must not be served. */
  readonly admitted: Promise<void>
  /** Rejects when the record could not be made durable: the reply must then not be completed. */
  settle(settlement: Settlement): Promise<void>
}

/** Writes the intent of a request. */
export function openRecord(journal: JournalPort, intent: Intent): OpenRecord {
  const intentJson = JSON.stringify(intent)
  let isWritten = false
  const admitted = journal.intend(intent.eventId, intentJson).then(() => {
    isWritten = true
  })
  return {
    admitted,
    settle(settlement) {
      // Both are JSON objects with members: joining their texts saves making, and walking, a third object.
      const record = `${intentJson.slice(0, -1)},${JSON.stringify(settlement).slice(1)}`
      if (isWritten) return journal.settle(intent.eventId, record)
      // Given up while its intent waits for space. A settlement comes after its intent, or not at all.
      return admitted.then(
        () => journal.settle(intent.eventId, record),
        () => {
          // No intent: nothing was sent up, and there is nothing to settle.
        },
      )
    },
  }
}
