/** Which of the sockets a worker accepts on: its own; or, where there are fewer than workers, one that it shares. */
export function socketsOf(worker: number, of: { readonly workers: number; readonly sockets: number }): readonly number[] {
  if (of.sockets <= of.workers) return [worker % of.sockets]
  return Array.from({ length: of.sockets }, (_none, socket) => socket).filter((socket) => socket % of.workers === worker)
}

const PAUSE_MS = 250
const PAUSE_MS_MAX = 30_000

/** How long to wait before a worker is started again that has died so many times in a row: not at all at first, then longer and longer. */
export function pauseBefore(deaths: number): number {
  return deaths <= 1 ? 0 : Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** (deaths - 2))
}
