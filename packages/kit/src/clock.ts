/** Wall clock: UTC epoch milliseconds, an integer. */
export type Clock = () => number

/** The machine's wall clock. */
export const systemClock: Clock = () => Date.now()
