import { lookup } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** Asks the machine's resolver for every address of a name, in its order. */
export type Resolve = (name: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void

/** An answer is believed for so long: a service that moves is found within seconds, and a busy upstream costs a look-up now and then. */
export const FRESH_MS = 5_000
/** A name that cannot be resolved is not asked about again for so long. */
export const NEGATIVE_MS = 1_000
/** The last good answer is used for so long while the resolver fails: its addresses are most likely still right. */
export const STALE_MS = 600_000
/** Whoever has a last good answer waits this long for a newer one. */
export const STALE_WAIT_MS = 500
/** Names come from the route table, and by a convention from requests: the longest unused goes. */
const NAMES_MAX = 1024

type Entry = {
  addresses: readonly LookupAddress[] | undefined
  /** When those were told; -Infinity: never. */
  goodAt: number
  failure: Error | undefined
  /** When it failed last; -Infinity: not since it was good. */
  failedAt: number
  waiting: ((entry: Entry) => void)[] | undefined
}

/** With `all` node wants every address, else one: the callback of {@link LookupFunction} has both forms. */
type Answer = Parameters<LookupFunction>[2]

/**
 * Addresses of upstreams' names, for `node:net`. Every connection would ask the resolver by itself, in one of the few threads that files are
 * written with too: one that hangs would hold up the journal. Here one question at a time is asked for a name; a failure is remembered for
 * {@link NEGATIVE_MS}, and a good answer is used for {@link STALE_MS} while there is no newer one.
 */
export class UpstreamNames {
  readonly #entries = new Map<string, Entry>()
  readonly #resolve: Resolve
  readonly #now: () => number

  constructor(resolve: Resolve = askMachine, now: () => number = () => performance.now()) {
    this.#resolve = resolve
    this.#now = now
  }

  readonly lookup: LookupFunction = (name, options, answer) => {
    const entry = this.#entry(name)
    const now = this.#now()
    const isStale = entry.addresses !== undefined && now - entry.goodAt <= STALE_MS
    if ((entry.addresses !== undefined && now - entry.goodAt <= FRESH_MS) || now - entry.failedAt <= NEGATIVE_MS) {
      // As a resolver would: never before the one who asks has gone on.
      process.nextTick(give, entry, { name, isUsable: isStale, all: options.all === true, answer })
      return
    }
    let isOpen = true
    let timer: NodeJS.Timeout | undefined
    const settle = (found: Entry): void => {
      if (!isOpen) return
      isOpen = false
      clearTimeout(timer)
      give(found, {
        name,
        isUsable: found.addresses !== undefined && this.#now() - found.goodAt <= STALE_MS,
        all: options.all === true,
        answer,
      })
    }
    if (isStale) timer = setTimeout(settle, STALE_WAIT_MS, entry)
    this.#ask(name, entry, settle)
  }

  #ask(name: string, entry: Entry, settle: (entry: Entry) => void): void {
    if (entry.waiting !== undefined) {
      entry.waiting.push(settle)
      return
    }
    entry.waiting = [settle]
    this.#resolve(name, (error, addresses) => {
      if (error === null && addresses.length > 0) {
        entry.addresses = addresses
        entry.goodAt = this.#now()
        entry.failedAt = -Infinity
      } else {
        entry.failure = error ?? new Error(`${name} has no address`)
        entry.failedAt = this.#now()
      }
      const { waiting = [] } = entry
      entry.waiting = undefined
      for (const each of waiting) each(entry)
    })
  }

  /** The entry of a name, now the one used last. */
  #entry(name: string): Entry {
    const known = this.#entries.get(name)
    if (known !== undefined) this.#entries.delete(name)
    else if (this.#entries.size >= NAMES_MAX) for (const oldest of this.#entries.keys().take(1)) this.#entries.delete(oldest)
    const entry = known ?? { addresses: undefined, goodAt: -Infinity, failure: undefined, failedAt: -Infinity, waiting: undefined }
    this.#entries.set(name, entry)
    return entry
  }
}

type Given = { readonly name: string; readonly isUsable: boolean; readonly all: boolean; readonly answer: Answer }

function give({ addresses, failure }: Entry, { name, isUsable, all, answer }: Given): void {
  const [first] = addresses ?? []
  if (!isUsable || addresses === undefined || first === undefined) {
    answer(failure ?? new Error(`${name} has no address`), '')
  } else if (all) answer(null, [...addresses])
  else answer(null, first.address, first.family)
}

function askMachine(name: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void): void {
  lookup(name, { all: true, order: 'verbatim' }, done)
}
