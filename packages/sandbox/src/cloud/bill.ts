import { divideHalfAwayFromZero } from '@ascribe/units'

/** What an account has running, and what that has added up to. Whole units times milliseconds: nothing is rounded. */
type Tally = { cpuMhz: bigint; memBytes: bigint; diskBytes: bigint; since: number; cpuMhzMs: bigint; memByteMs: bigint; diskByteMs: bigint }

/** What is running: MHz and bytes of memory of servers that are not stopped, bytes of drives that exist. */
export type Running = { readonly cpuMhz: bigint; readonly memBytes: bigint; readonly diskBytes: bigint }

/** An account's bill in one region, up to now. Exact sums, and what they come to. */
export type Bill = Running & {
  readonly cpuMhzMs: bigint
  readonly memByteMs: bigint
  readonly diskByteMs: bigint
  /** Hours, cut after six places. */
  readonly cpuMhzHours: string
  readonly memGbHours: string
  readonly diskGbHours: string
  /** Nano-units of the currency, rounded once. */
  readonly costNano: bigint
  /** What goes on costing, nano-units an hour. */
  readonly costNanoPerHour: bigint
}

const HOUR_MS = 3_600_000n
/** A GB of the bill is 2^30 bytes, as the cloud's own prices have it. */
const GB = 1_073_741_824n
const MICRO = 1_000_000n

/** Prices, nano-units of the currency: invented, and of the size of real ones. */
export const PRICES: { readonly cpuGhzHour: bigint; readonly memGbHour: bigint; readonly diskGbHour: bigint } = {
  cpuGhzHour: 11_000_000n,
  memGbHour: 8_000_000n,
  diskGbHour: 180_000n,
}
const GHZ = 1000n

/** The bills of all accounts. */
export class Bills {
  readonly #tallies = new Map<string, Tally>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** From now on so much more runs for the account, or less. */
  change(account: string, region: string, by: Partial<Running>): void {
    const tally = this.#tallies.get(keyOf(account, region)) ?? this.#empty()
    this.#tallies.set(keyOf(account, region), tally)
    carry(tally, this.#now())
    tally.cpuMhz += by.cpuMhz ?? 0n
    tally.memBytes += by.memBytes ?? 0n
    tally.diskBytes += by.diskBytes ?? 0n
  }

  /** An account's bill in one region, up to this instant. */
  of(account: string, region: string): Bill {
    const tally = { ...(this.#tallies.get(keyOf(account, region)) ?? this.#empty()) }
    carry(tally, this.#now())
    const { cpuMhz, memBytes, diskBytes, cpuMhzMs, memByteMs, diskByteMs } = tally
    return {
      cpuMhz,
      memBytes,
      diskBytes,
      cpuMhzMs,
      memByteMs,
      diskByteMs,
      cpuMhzHours: sixPlaces(cpuMhzMs, HOUR_MS),
      memGbHours: sixPlaces(memByteMs, GB * HOUR_MS),
      diskGbHours: sixPlaces(diskByteMs, GB * HOUR_MS),
      costNano: costOf({ cpu: cpuMhzMs, mem: memByteMs, disk: diskByteMs }, HOUR_MS),
      costNanoPerHour: costOf({ cpu: cpuMhz, mem: memBytes, disk: diskBytes }, 1n),
    }
  }

  #empty(): Tally {
    return { cpuMhz: 0n, memBytes: 0n, diskBytes: 0n, since: this.#now(), cpuMhzMs: 0n, memByteMs: 0n, diskByteMs: 0n }
  }
}

/** What MHz and bytes cost, over `per` units of time of an hour. Over one common denominator, so that it is rounded once. */
export function costOf({ cpu, mem, disk }: { cpu: bigint; mem: bigint; disk: bigint }, per: bigint): bigint {
  const { cpuGhzHour, memGbHour, diskGbHour } = PRICES
  return divideHalfAwayFromZero(cpu * cpuGhzHour * GB + (mem * memGbHour + disk * diskGbHour) * GHZ, GHZ * GB * per)
}

function carry(tally: Tally, now: number): void {
  const ms = BigInt(Math.max(0, Math.round(now - tally.since)))
  tally.cpuMhzMs += tally.cpuMhz * ms
  tally.memByteMs += tally.memBytes * ms
  tally.diskByteMs += tally.diskBytes * ms
  tally.since = Math.max(tally.since, now)
}

function sixPlaces(sum: bigint, unit: bigint): string {
  const micro = (sum * MICRO) / unit
  return `${micro / MICRO}.${String(micro % MICRO).padStart(6, '0')}`
}

const keyOf = (account: string, region: string): string => `${account}/${region}`
