import { PerformanceObserver } from 'node:perf_hooks'

// Loaded before a contestant (`--import`): adds up what its garbage collector has taken, and says it when asked by SIGUSR2.

let collections = 0
let totalMs = 0
let longestMs = 0

new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    collections += 1
    totalMs += duration
    longestMs = Math.max(longestMs, duration)
  }
}).observe({ entryTypes: ['gc'] })

process.on('SIGUSR2', () => {
  console.log(JSON.stringify({ collections, totalMs, longestMs }))
  longestMs = 0
})
