import { PerformanceObserver, monitorEventLoopDelay } from 'node:perf_hooks'
import type { MeterRegistry } from './meters.ts'

const NANOSECONDS = 1e9
const MICROSECONDS = 1e6
const RESOLUTION_MS = 10

/**
 * Adds what every process should tell of itself: memory, CPU time, how late its event loop runs, time spent in garbage
 * collection. The lag is the 99th percentile since the last rendering. Disposing stops the watching.
 */
export function measureProcess(meters: MeterRegistry): Disposable {
  const memory = meters.gauge('process_resident_memory_bytes', 'Resident memory.')
  const heap = meters.gauge('nodejs_heap_used_bytes', 'JavaScript heap in use.')
  const cpu = meters.counter('process_cpu_seconds_total', 'CPU time, user and system.')
  const started = meters.gauge('process_start_time_seconds', 'When the process started, Unix time.')
  const lag = meters.gauge('nodejs_eventloop_lag_p99_seconds', 'How late the event loop runs, 99th percentile since the last scrape.')
  const collected = meters.counter('nodejs_gc_seconds_total', 'Time spent in garbage collection.')

  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) collected.add(entry.duration / 1000)
  })
  observer.observe({ entryTypes: ['gc'] })
  started.set(performance.timeOrigin / 1000)

  let cpuSeconds = 0
  meters.beforeRender(() => {
    const { rss, heapUsed } = process.memoryUsage()
    memory.set(rss)
    heap.set(heapUsed)
    const { user, system } = process.cpuUsage()
    const now = (user + system) / MICROSECONDS
    cpu.add(Math.max(0, now - cpuSeconds))
    cpuSeconds = now
    // What is measured is the time between two ticks of a timer: an idle loop shows the timer's own period.
    lag.set(delay.count === 0 ? 0 : Math.max(0, delay.percentile(99) / NANOSECONDS - RESOLUTION_MS / 1000))
    delay.reset()
  })
  return {
    [Symbol.dispose](): void {
      delay.disable()
      observer.disconnect()
    },
  }
}
