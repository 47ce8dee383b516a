/** Label values of one series; the label names are fixed when the instrument is made. */
export type Labels = Readonly<Record<string, string>>

/** Only goes up. Names end in `_total`. */
export type Counter = { add(amount?: number, labels?: Labels): void }
/** Goes up and down. */
export type Gauge = { set(value: number, labels?: Labels): void }
/** A distribution. Units are in the name, `_seconds` or `_bytes`. */
export type Histogram = { observe(value: number, labels?: Labels): void }

/** Where instruments come from. Asking twice for one name gives the same instrument. */
export type Meters = {
  counter(name: string, help: string): Counter
  gauge(name: string, help: string): Gauge
  histogram(name: string, help: string, options: { readonly buckets: readonly number[] }): Histogram
}

const nothing = (): void => {}

/** Measures nothing. For tests and tools. */
export const silentMeters: Meters = {
  counter: () => ({ add: nothing }),
  gauge: () => ({ set: nothing }),
  histogram: () => ({ observe: nothing }),
}
