import { KubeError, createLeaderElection } from '../src/index.ts'
import type { Clocks, KubeClient, LeaderElection, Lease, ObjectKey } from '../src/index.ts'
import type { FakeClocks } from '../src/testing.ts'

type Weather = { delayMs: number; isLost: boolean; isDown: boolean }

export type FakeCandidate = {
  readonly stop: AbortController
  /** What it meets from now on. */
  meet(what: 'nothing' | 'slow' | 'lost' | 'down' | 'pause' | 'stop', ms: number): void
  /** Acts for so long if its fence lets it; whether it did. */
  act(ms: number): boolean
}

/** One Lease behind a network of every candidate's own, on clocks of the test: the only part of the API that an election needs. */
export type FakeLeases = {
  readonly client: KubeClient
  candidate(identity: string, lease: ObjectKey & { readonly namespace: string }): FakeCandidate
  /** Pairs of acts of two candidates that were under way at one time. */
  overlaps(): string[]
}

export function createFakeLeases(clocks: FakeClocks): FakeLeases {
  let stored: Lease | undefined
  let version = 0
  const acts: { readonly who: string; readonly start: number; readonly end: number }[] = []

  function clientOf(weather: Weather, own: Clocks): KubeClient {
    const travel = async (): Promise<void> => {
      if (weather.delayMs > 0) await new Promise<void>((resolve) => void clocks.timer(weather.delayMs, resolve))
      if (weather.isDown) throw new KubeError('reach', { reason: 'Network' })
    }
    /** The client gives up after its deadline; what it sent arrives all the same. */
    const within = async <T>(deadlineMs: number, call: () => Promise<T>): Promise<T> => {
      const { promise, reject } = Promise.withResolvers<never>()
      using _timer = own.timer(deadlineMs, () => reject(new KubeError('reach', { reason: 'Deadline' })))
      promise.catch(() => {})
      const called = call()
      called.catch(() => {})
      return await Promise.race([called, promise])
    }
    const write = async (lease: object): Promise<Lease> => {
      await travel()
      const { metadata } = lease as Lease
      const isStale = stored !== undefined && metadata.resourceVersion !== stored.metadata.resourceVersion
      if (isStale || (stored === undefined && metadata.resourceVersion !== undefined))
        throw new KubeError('write', { reason: 'Conflict', status: 409 })
      const kept = { ...(lease as Lease), metadata: { ...metadata, resourceVersion: String(++version) } }
      stored = kept
      if (weather.isLost) throw new KubeError('write', { reason: 'Network' })
      return kept
    }
    const read = async (): Promise<Lease | undefined> => {
      await travel()
      return stored
    }
    // Elections use nothing else of a client.
    return {
      tryGet: (_resource: unknown, _key: unknown, options: { deadlineMs: number }) => within(options.deadlineMs, read),
      create: (_resource: unknown, lease: object, options: { deadlineMs: number }) => within(options.deadlineMs, () => write(lease)),
      replace: (_resource: unknown, lease: object, options: { deadlineMs: number }) => within(options.deadlineMs, () => write(lease)),
    } as unknown as KubeClient
  }

  return {
    client: clientOf({ delayMs: 0, isLost: false, isDown: false }, clocks),
    candidate(identity, lease) {
      const weather: Weather = { delayMs: 0, isLost: false, isDown: false }
      const pause = createPause(clocks)
      let stop = new AbortController()
      let election: LeaderElection | undefined
      let lastEnd = 0
      const start = (): void => {
        // A process that ended is started again, as another one.
        const mine = createLeaderElection({
          client: clientOf(weather, pause.clocks),
          ...lease,
          identity: `${identity}-${Math.random()}`,
          clocks: pause.clocks,
          random: () => 0.5,
        })
        election = mine
        const signal = stop.signal
        // As a controller: after the abort what is under way is finished, and nothing begins.
        const work = async (leading: AbortSignal): Promise<void> => {
          await new Promise<void>((resolve) => (leading.aborted ? resolve() : leading.addEventListener('abort', () => resolve())))
          if (lastEnd > clocks.monotonic()) await new Promise<void>((resolve) => void clocks.timer(lastEnd - clocks.monotonic(), resolve))
        }
        void mine.run(signal, work).then(
          () => {},
          () => signal.aborted || start(),
        )
      }
      start()
      return {
        get stop() {
          return stop
        },
        meet(what, ms) {
          Object.assign(weather, { delayMs: what === 'slow' ? ms : 0, isLost: what === 'lost', isDown: what === 'down' })
          if (what === 'pause') pause.pause(ms)
          if (what !== 'stop') return
          stop.abort()
          stop = new AbortController()
          start()
        },
        act(ms) {
          // Its loop stands still, or it has been told to end.
          if (pause.isPaused() || stop.signal.aborted) return false
          try {
            election?.fence.check(ms)
          } catch {
            return false
          }
          const at = clocks.monotonic()
          lastEnd = at + ms
          acts.push({ who: identity, start: at, end: at + ms })
          return true
        },
      }
    },
    overlaps: () =>
      acts.flatMap((one) =>
        acts
          .filter((other) => other.who > one.who && other.start < one.end && one.start < other.end)
          .map((other) => `${one.who} ${one.start}..${one.end}, ${other.who} ${other.start}..${other.end}`),
      ),
  }
}

type Pause = { readonly clocks: Clocks; pause(ms: number): void; isPaused(): boolean }

/** A process that is stopped: its timers fire when it goes on, and its clocks show the true time then. */
function createPause(clocks: FakeClocks): Pause {
  let until = 0
  return {
    pause: (ms) => void (until = Math.max(until, clocks.monotonic() + ms)),
    isPaused: () => clocks.monotonic() < until,
    clocks: {
      monotonic: clocks.monotonic,
      wall: clocks.wall,
      timer(ms, callback) {
        let timer: Disposable
        const fire = (): void => {
          if (clocks.monotonic() < until) timer = clocks.timer(until - clocks.monotonic(), fire)
          else callback()
        }
        timer = clocks.timer(ms, fire)
        return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
      },
    },
  }
}
