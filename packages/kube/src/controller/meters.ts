import type { Counter, Labels, Meters } from '@ascribe/kit'

export type Outcome = 'error' | 'requeue' | 'requeue_after' | 'success'

export type ControllerMeters = {
  added(): void
  retried(): void
  depth(ready: number): void
  begin(waitedMs: number): {
    end(outcome: Outcome, flags: { readonly isTerminal: boolean; readonly isPanic: boolean; readonly isTimeout: boolean }): void
  }
  /** Sets the gauges about what is being worked on. */
  look(): void
}

/** client-go's exponential buckets of workqueues: 10 ns to 1000 s, in tens. */
const QUEUE_BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000]
/** controller-runtime's of `reconcile_time_seconds`. */
const RECONCILE_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5,
  4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
]

/** Shows 0 before anything was counted, so that a rate over it is right from the first count. */
function counterFromZero(counter: Counter, labels: Labels): () => void {
  counter.add(0, labels)
  return () => counter.add(1, labels)
}

/** controller-runtime's and client-go's names and labels, every value of a label there from the beginning. */
export function createControllerMeters(
  meters: Meters,
  { name, concurrency }: { readonly name: string; readonly concurrency: number },
): ControllerMeters {
  const ours = { controller: name }
  const queue = { controller: name, name }
  const reconciles = meters.counter('controller_runtime_reconcile_total', 'Reconciliations by controller and result.')
  for (const result of ['error', 'requeue', 'requeue_after', 'success'] satisfies Outcome[]) reconciles.add(0, { controller: name, result })
  const zeroed = (metric: string, help: string, labels: Labels): (() => void) => counterFromZero(meters.counter(metric, help), labels)
  const errors = zeroed('controller_runtime_reconcile_errors_total', 'Reconciliations that failed.', ours)
  const terminal = zeroed(
    'controller_runtime_terminal_reconcile_errors_total',
    'Reconciliations that failed and are not tried again.',
    ours,
  )
  const panics = zeroed('controller_runtime_reconcile_panics_total', 'Reconciliations that met a bug.', ours)
  const timeouts = zeroed('controller_runtime_reconcile_timeouts_total', 'Reconciliations that took too long.', ours)
  const adds = zeroed('workqueue_adds_total', 'Keys that were added.', queue)
  const retries = zeroed('workqueue_retries_total', 'Keys that were added again after a failure.', queue)
  const reconcileSeconds = meters.histogram('controller_runtime_reconcile_time_seconds', 'Time of a reconciliation.', {
    buckets: RECONCILE_BUCKETS,
  })
  const queueSeconds = meters.histogram('workqueue_queue_duration_seconds', 'Time from ready to taken.', { buckets: QUEUE_BUCKETS })
  const workSeconds = meters.histogram('workqueue_work_duration_seconds', 'Time from taken to done.', { buckets: QUEUE_BUCKETS })
  const depth = meters.gauge('workqueue_depth', 'Keys that wait for a worker.')
  const active = meters.gauge('controller_runtime_active_workers', 'Workers that are busy.')
  const unfinished = meters.gauge('workqueue_unfinished_work_seconds', 'Seconds of work in hand, all workers together.')
  const longest = meters.gauge('workqueue_longest_running_processor_seconds', 'Seconds that the longest running worker has been at it.')
  meters.gauge('controller_runtime_max_concurrent_reconciles', 'Workers.').set(concurrency, ours)
  depth.set(0, queue)
  active.set(0, ours)
  const running = new Set<number>()

  return {
    added: adds,
    retried: retries,
    depth: (ready) => depth.set(ready, queue),
    begin(waitedMs) {
      queueSeconds.observe(waitedMs / 1000, queue)
      // Two that begin in one instant are two: the fraction tells them apart.
      let start = performance.now()
      while (running.has(start)) start += 1e-6
      running.add(start)
      active.set(running.size, ours)
      return {
        end(outcome, { isTerminal, isPanic, isTimeout }) {
          running.delete(start)
          active.set(running.size, ours)
          const seconds = (performance.now() - start) / 1000
          reconcileSeconds.observe(seconds, ours)
          workSeconds.observe(seconds, queue)
          reconciles.add(1, { controller: name, result: outcome })
          if (outcome === 'error') errors()
          if (isTerminal) terminal()
          if (isPanic) panics()
          if (isTimeout) timeouts()
        },
      }
    },
    look() {
      const now = performance.now()
      const each = Array.from(running, (start) => Math.max(0, now - start) / 1000)
      unfinished.set(
        each.reduce((sum, seconds) => sum + seconds, 0),
        queue,
      )
      longest.set(Math.max(0, ...each), queue)
    },
  }
}
