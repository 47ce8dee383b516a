import type { Clocks } from '@ascribe/kube'

/** When a scaled time began, and how much faster it goes; the same for every thread of a run. */
export type Scale = { readonly factor: number; readonly startedAt: number }

export function scaledNow({ factor, startedAt }: Scale): number {
  return startedAt + (performance.timeOrigin + performance.now() - startedAt) * factor
}

/** Clocks that go so many times faster: a lease of 15 s is one of 1.5 s. */
export function scaledClocks(scale: Scale): Clocks {
  return {
    monotonic: () => (performance.timeOrigin + performance.now() - scale.startedAt) * scale.factor,
    wall: () => scaledNow(scale),
    timer(ms, callback) {
      const timer = setTimeout(callback, Math.max(0, ms) / scale.factor)
      return { [Symbol.dispose]: () => clearTimeout(timer) }
    },
  }
}
