import type { ReplySink } from './reply-sink.ts'

/**
 * Flushes heads that came without a body, at the end of the next turn of the event loop: an engine that writes the first event right
 * after its head gets both to the client in one system call. A loop with an immediate to run does not sleep: nobody waits for long.
 */
export function createHeadFlusher(): (sink: ReplySink) => void {
  let due: ReplySink[] = []
  let next: ReplySink[] = []
  let isScheduled = false
  const turn = (): void => {
    for (const sink of due) sink.flushHead()
    due = next
    next = []
    isScheduled = due.length > 0
    if (isScheduled) setImmediate(turn)
  }
  return (sink) => {
    next.push(sink)
    if (isScheduled) return
    isScheduled = true
    setImmediate(turn)
  }
}
