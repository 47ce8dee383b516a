import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { AscribeError, errorCode } from '@ascribe/kit'
import { parseInstant } from '@ascribe/units'
import { CHAIN_START, digestOf } from './mint-log.ts'
import type { MintLine } from './mint-log.ts'

/** The trail of tokens cannot be read. */
class MintLogReadError extends AscribeError {
  override readonly code = 'MINT_LOG_UNREADABLE'
}

/** What the trail says of one owner. `owner` is missing where nobody was found behind an address. */
export type OwnerTrail = {
  readonly owner: string | undefined
  readonly mints: number
  readonly discoveries: number
  /** Tokens that were minted and that nobody got. */
  readonly discarded: number
  readonly refusals: number
  readonly lastMintAt: string | undefined
  readonly lastRefusalAt: string | undefined
  readonly lastReason: string | undefined
  /** Refusals since the last time that it worked. */
  readonly refusalsInARow: number
  readonly regions: readonly string[]
}

export type MintTrail = {
  readonly owners: readonly OwnerTrail[]
  readonly lines: number
  /** Lines that a crash cut off. */
  readonly torn: number
  /** Lines, from 1, that do not follow the one before: something was changed, put in or taken out there. */
  readonly breaks: readonly number[]
}

type Counting = { -readonly [Key in keyof OwnerTrail]: OwnerTrail[Key] } & { regions: string[] }

/** More breaks than this say no more. */
const BREAKS_MAX = 100

/** Reads the whole trail, a line at a time. No trail is an empty one. @throws {MintLogReadError} */
export async function readMintTrail(path: string): Promise<MintTrail> {
  const owners = new Map<string | undefined, Counting>()
  const breaks: number[] = []
  let [lines, torn] = [0, 0]
  let prev = CHAIN_START
  try {
    for await (const text of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
      lines += 1
      const line = parseLine(text)
      if (line === 'torn') torn += 1
      else {
        if ((line === 'foreign' || line.prev !== prev) && breaks.length < BREAKS_MAX) breaks.push(lines)
        if (line !== 'foreign') count(owners, line)
      }
      prev = digestOf(text)
    }
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') {
      throw new MintLogReadError(`Cannot read the trail of tokens from ${path}: ${errorCode(cause) ?? 'it failed'}`, { cause })
    }
  }
  return { owners: [...owners.values()].toSorted(byLast), lines, torn, breaks }
}

function count(owners: Map<string | undefined, Counting>, line: MintLine): void {
  let trail = owners.get(line.owner)
  if (trail === undefined) {
    trail = {
      owner: line.owner,
      mints: 0,
      discoveries: 0,
      discarded: 0,
      refusals: 0,
      lastMintAt: undefined,
      lastRefusalAt: undefined,
      lastReason: undefined,
      refusalsInARow: 0,
      regions: [],
    }
    owners.set(line.owner, trail)
  }
  if (!trail.regions.includes(line.region)) trail.regions.push(line.region)
  if (line.outcome === 'minted') {
    if (line.act === 'mint') trail.mints += 1
    else trail.discoveries += 1
    trail.lastMintAt = line.at
    trail.refusalsInARow = 0
  } else if (line.outcome === 'discarded') {
    trail.discarded += 1
  } else {
    trail.refusals += 1
    trail.refusalsInARow += 1
    trail.lastRefusalAt = line.at
    trail.lastReason = line.reason
  }
}

/** A line of ours; `torn` for one that was cut off; `foreign` for what no crash makes of ours: somebody else has written it. */
function parseLine(text: string): MintLine | 'torn' | 'foreign' {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    return 'torn'
  }
  return isOurs(line) ? line : 'foreign'
}

const OWNER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const WORD = /^[a-z0-9_-]{1,64}$/

/** Whether what is counted and shown is what createMintLog() writes; the chain tells whether it still is what it wrote. */
function isOurs(line: unknown): line is MintLine {
  const textOf = (name: string): string | undefined => {
    const value: unknown = typeof line === 'object' && line !== null ? Reflect.get(line, name) : undefined
    return value === undefined || typeof value === 'string' ? value : ''
  }
  const [at, owner, reason] = [textOf('at'), textOf('owner'), textOf('reason')]
  return (
    parseInstant(at ?? '') !== undefined &&
    ['mint', 'discover'].includes(textOf('act') ?? '') &&
    ['minted', 'refused', 'discarded'].includes(textOf('outcome') ?? '') &&
    WORD.test(textOf('region') ?? '') &&
    (owner === undefined || OWNER.test(owner)) &&
    (reason === undefined || WORD.test(reason)) &&
    textOf('prev') !== undefined
  )
}

function byLast(left: OwnerTrail, right: OwnerTrail): number {
  return lastOf(right) - lastOf(left)
}

function lastOf({ lastMintAt, lastRefusalAt }: OwnerTrail): number {
  return Math.max(parseInstant(lastMintAt ?? '') ?? 0, parseInstant(lastRefusalAt ?? '') ?? 0)
}

const BACK_OFF_FIRST_MS = 30_000
const BACK_OFF_LAST_MS = 600_000

/**
 * Until when a process that met these refusals asks no more for this owner: 30 s after the first, then twice as long each time, up to ten
 * minutes (`packages/impersonation`). Not for an address without an owner. Other processes do not know, and ask.
 */
export function backOffUntil({ owner, refusalsInARow, lastRefusalAt }: OwnerTrail): number | undefined {
  const at = parseInstant(lastRefusalAt ?? '')
  if (owner === undefined || refusalsInARow === 0 || at === undefined) return undefined
  return at + Math.min(BACK_OFF_LAST_MS, BACK_OFF_FIRST_MS * 2 ** Math.min(refusalsInARow - 1, 20))
}
