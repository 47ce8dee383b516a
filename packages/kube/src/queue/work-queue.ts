import { assert } from '@ascribe/kit'
import type { Clocks } from '../clocks.ts'
import { Heap } from './heap.ts'

export type WorkQueueOptions = {
  readonly clocks: Clocks
  /** Who shares a part of the workers. Default: all keys are one group. */
  readonly groupOf?: (key: string) => string
  /** Keys of one group that are worked on at a time. Default: no limit. */
  readonly groupMax?: number
}

export type AddOptions = { readonly priority?: number; readonly afterMs?: number }

/** A key that is handed out; exactly one worker has it until `done`. */
export type Taken = { readonly key: string; readonly priority: number; /** How long it was ready. */ readonly waitedMs: number }

/**
 * Keys that wait for a worker. A key is in it once, however often it is added: the highest priority and the earliest time count. One that
 * is added while it is worked on comes back after `done`. Groups take turns: among those with the most urgent key the one that has
 * waited longest since its last turn; a group at its limit is passed over, so that one that is slow delays nobody else.
 */
export type WorkQueue = {
  add(key: string, options?: AddOptions): void
  /** Waits for a key; `undefined` after {@link WorkQueue.shutDown}. */
  take(): Promise<Taken | undefined>
  done(key: string): void
  /** Nothing more is taken in or handed out. */
  shutDown(): void
  depth(): { readonly ready: number; readonly delayed: number; readonly active: number }
}

type Item = {
  readonly key: string
  readonly group: string
  state: 'ready' | 'delayed' | 'active'
  priority: number
  readyAt: number
  /** What was asked for while it is worked on. */
  again: { priority: number; readyAt: number } | undefined
  /** Entries of heaps with an older stamp are void. */
  stamp: number
}
type Entry = { readonly item: Item; readonly stamp: number; readonly priority: number; readonly at: number; readonly sequence: number }
type Group = { readonly name: string; readonly ready: Heap<Entry>; active: number; lastTurn: number; readyCount: number }

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new FairQueue(options)
}

const isEarlier = (one: Entry, other: Entry): boolean => one.at < other.at || (one.at === other.at && one.sequence < other.sequence)
const isMoreUrgent = (one: Entry, other: Entry): boolean =>
  one.priority > other.priority || (one.priority === other.priority && one.sequence < other.sequence)

class FairQueue implements WorkQueue {
  readonly #clocks: Clocks
  readonly #groupOf: (key: string) => string
  readonly #groupMax: number
  readonly #items = new Map<string, Item>()
  readonly #groups = new Map<string, Group>()
  readonly #delayed = new Heap<Entry>(isEarlier)
  readonly #waiting: ((taken: Taken | undefined) => void)[] = []
  readonly #counts = { ready: 0, delayed: 0, active: 0 }
  #sequence = 0
  #timer: (Disposable & { readonly at: number }) | undefined
  #isShut = false
  #isReleasing = false

  constructor({ clocks, groupOf = () => '', groupMax = Infinity }: WorkQueueOptions) {
    assert(groupMax >= 1, 'a group needs at least one worker')
    this.#clocks = clocks
    this.#groupOf = groupOf
    this.#groupMax = groupMax
  }

  add(key: string, { priority = 0, afterMs = 0 }: AddOptions = {}): void {
    if (this.#isShut) return
    const readyAt = this.#clocks.monotonic() + Math.max(0, afterMs)
    const item = this.#items.get(key)
    if (item === undefined)
      return this.#place({ key, group: this.#groupOf(key), state: 'ready', priority, readyAt, again: undefined, stamp: 0 })
    if (item.state === 'active') {
      item.again = {
        priority: Math.max(priority, item.again?.priority ?? -Infinity),
        readyAt: Math.min(readyAt, item.again?.readyAt ?? Infinity),
      }
      return
    }
    if (priority <= item.priority && readyAt >= item.readyAt) return
    this.#leave(item)
    item.priority = Math.max(priority, item.priority)
    item.readyAt = Math.min(readyAt, item.readyAt)
    this.#place(item)
  }

  take(): Promise<Taken | undefined> {
    const { promise, resolve } = Promise.withResolvers<Taken | undefined>()
    if (this.#isShut) resolve(undefined)
    else this.#waiting.push(resolve)
    this.#serve()
    return promise
  }

  done(key: string): void {
    const item = this.#items.get(key)
    assert(item?.state === 'active', `${key} is not worked on`)
    this.#counts.active -= 1
    const group = this.#groupOfItem(item)
    group.active -= 1
    this.#items.delete(key)
    this.#forgetIdle(group)
    const { again } = item
    if (again !== undefined && !this.#isShut) this.#place({ ...item, ...again, again: undefined })
    else this.#serve()
  }

  shutDown(): void {
    this.#isShut = true
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    for (const resolve of this.#waiting.splice(0)) resolve(undefined)
  }

  depth(): { readonly ready: number; readonly delayed: number; readonly active: number } {
    return { ...this.#counts }
  }

  #place(item: Item): void {
    this.#items.set(item.key, item)
    item.stamp += 1
    const entry: Entry = { item, stamp: item.stamp, priority: item.priority, at: item.readyAt, sequence: ++this.#sequence }
    if (item.readyAt > this.#clocks.monotonic()) {
      item.state = 'delayed'
      this.#counts.delayed += 1
      this.#delayed.push(entry)
      this.#schedule()
      return
    }
    item.state = 'ready'
    this.#counts.ready += 1
    const group = this.#groupOfItem(item)
    group.readyCount += 1
    group.ready.push(entry)
    if (!this.#isReleasing) this.#serve()
  }

  /** Takes a waiting item out of where it is; its entry stays behind, void. */
  #leave(item: Item): void {
    item.stamp += 1
    if (item.state === 'delayed') this.#counts.delayed -= 1
    else {
      this.#counts.ready -= 1
      this.#groupOfItem(item).readyCount -= 1
    }
  }

  #groupOfItem({ group: name }: Item): Group {
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    // A newcomer comes after those who wait already, and before those who just had a turn.
    const group: Group = { name, ready: new Heap(isMoreUrgent), active: 0, lastTurn: 0, readyCount: 0 }
    this.#groups.set(name, group)
    return group
  }

  #forgetIdle(group: Group): void {
    if (group.active === 0 && group.readyCount === 0) this.#groups.delete(group.name)
  }

  /** Hands out keys while there are both keys and workers. */
  #serve(): void {
    while (this.#waiting.length > 0) {
      const item = this.#next()
      if (item === undefined) return
      const now = this.#clocks.monotonic()
      const resolve = this.#waiting.shift()
      resolve?.({ key: item.key, priority: item.priority, waitedMs: Math.max(0, now - item.readyAt) })
    }
  }

  #next(): Item | undefined {
    let best: { readonly group: Group; readonly entry: Entry } | undefined
    for (const group of this.#groups.values()) {
      if (group.active >= this.#groupMax) continue
      const entry = this.#head(group)
      if (entry === undefined) continue
      if (best === undefined || goesFirst({ group, entry }, best)) best = { group, entry }
    }
    if (best === undefined) return undefined
    const { group, entry } = best
    group.ready.pop()
    group.readyCount -= 1
    group.active += 1
    group.lastTurn = ++this.#sequence
    this.#counts.ready -= 1
    this.#counts.active += 1
    entry.item.state = 'active'
    entry.item.stamp += 1
    return entry.item
  }

  #head(group: Group): Entry | undefined {
    for (let entry = group.ready.peek(); entry !== undefined; entry = group.ready.peek()) {
      if (entry.stamp === entry.item.stamp) return entry
      group.ready.pop()
    }
    return undefined
  }

  /** One timer, for the first delayed key. */
  #schedule(): void {
    const first = this.#delayed.peek()
    if (first === undefined || this.#isShut || (this.#timer !== undefined && this.#timer.at <= first.at)) return
    this.#timer?.[Symbol.dispose]()
    const timer = this.#clocks.timer(first.at - this.#clocks.monotonic(), () => {
      this.#timer = undefined
      this.#release(first.at)
    })
    this.#timer = { at: first.at, [Symbol.dispose]: () => timer[Symbol.dispose]() }
  }

  /** `due`: what the timer was for; timers may fire a little early, and nothing else may be early. */
  #release(due: number): void {
    const now = this.#clocks.monotonic()
    // All that is due at once becomes ready before any is handed out, or the first in the heap would go before the most urgent.
    this.#isReleasing = true
    for (let entry = this.#delayed.peek(); entry !== undefined; entry = this.#delayed.peek()) {
      const isVoid = entry.stamp !== entry.item.stamp
      if (!isVoid && entry.at > Math.max(now, due)) break
      this.#delayed.pop()
      if (isVoid) continue
      this.#counts.delayed -= 1
      entry.item.readyAt = Math.min(entry.item.readyAt, now)
      this.#place(entry.item)
    }
    this.#isReleasing = false
    this.#serve()
    this.#schedule()
  }
}

function goesFirst(one: { group: Group; entry: Entry }, other: { group: Group; entry: Entry }): boolean {
  if (one.entry.priority !== other.entry.priority) return one.entry.priority > other.entry.priority
  if (one.group.lastTurn !== other.group.lastTurn) return one.group.lastTurn < other.group.lastTurn
  return one.entry.sequence < other.entry.sequence
}
