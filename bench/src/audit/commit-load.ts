import { setTimeout as delay } from 'node:timers/promises'

/** Does one thing that is durable when it resolves. */
export type Commit = () => Promise<unknown>

export type Load = {
  readonly users: number
  readonly seconds: number
  /** Together, at random instants (Poisson); absent: each asks again at once. */
  readonly perSecond?: number
}

export type Latencies = { readonly count: number; readonly p50Ms: number; readonly p95Ms: number; readonly p99Ms: number }

/** Lets users commit, each waiting for its own; gives how long a commit took. */
export async function runCommits(commit: Commit, { users, seconds, perSecond }: Load): Promise<Latencies> {
  const tookMs: number[] = []
  const end = performance.now() + seconds * 1000
  const user = async (): Promise<void> => {
    let due = performance.now()
    for (;;) {
      if (perSecond !== undefined) {
        due += (-Math.log(1 - Math.random()) * 1000 * users) / perSecond
        if (due > end) return
        await delay(Math.max(0, due - performance.now()))
      }
      const startedAt = performance.now()
      if (startedAt > end) return
      await commit()
      tookMs.push(performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: users }, user))
  return latenciesOf(tookMs)
}

function latenciesOf(tookMs: readonly number[]): Latencies {
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) }
}
