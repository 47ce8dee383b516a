import type { Instant } from '@ascribe/units'
import { leastOf, type Level, levelOf, type Look, NOTHING, sameLevel, type Size } from './level.ts'

/** A time in which a machine took one level; `[start, end)`. `isGuess`: nobody watched, and the cloud could not say. */
export type Stretch = { readonly start: Instant; readonly end: Instant; readonly level: Level; readonly isGuess: boolean }

/** Something that the cloud's own log says of a server. */
export type Told = { readonly at: Instant; readonly what: 'start' | 'stop' | 'delete' }

/** What was known of a machine when it was seen last. */
export type Known = { readonly level: Level; readonly size: Size; readonly activeSince: string | undefined; readonly seenAt: Instant }

/**
 * What a machine took from when it was seen last until now. `now` undefined: it is gone. `told`: what the cloud's log says of that time, oldest
 * first; undefined: it was not asked. Pure. The stretches follow one another from `known.seenAt` to `at`; levels that changed at an
 * instant which nobody knows make one stretch that is a guess.
 */
export function stretchesBetween(
  known: Known,
  now: Look | undefined,
  { at, told }: { readonly at: Instant; readonly told: readonly Told[] | undefined },
): readonly Stretch[] {
  const last = now?.level ?? NOTHING
  if (now !== undefined && isContinuous(known, now, at)) return [stretch({ start: known.seenAt, end: at, level: known.level })]
  const replayed = told === undefined ? undefined : replay(known, now, { at, told })
  if (replayed !== undefined) return replayed
  // The cloud says since when it has run: from then on it is certain.
  const runsSince = now === undefined ? undefined : instantOf(now.activeSince)
  if (runsSince !== undefined && runsSince > known.seenAt && runsSince <= at) {
    const before = levelOf(false, leastSize(known.size, now?.size ?? known.size), Math.min(known.level.disk, last.disk))
    // Who was stopped at the beginning was so until then; who ran has stopped at some time that nobody knows.
    const isKnown = !known.level.isRunning && known.level.disk === last.disk
    return [
      { start: known.seenAt, end: runsSince, level: isKnown ? known.level : before, isGuess: !isKnown },
      stretch({ start: runsSince, end: at, level: last }),
    ]
  }
  return [{ start: known.seenAt, end: at, level: leastOf(known.level, last), isGuess: true }]
}

/** A stopped machine is looked at every minute; in a longer time it may have run without anybody seeing it. */
const WATCHED_MS = 600_000

/** Whether nothing can have changed meanwhile: the same machine, which by the cloud's word has run all the time, or was seen stopped twice. */
export function isContinuous(known: Known, now: Look, at: Instant): boolean {
  if (!sameLevel(known.level, now.level)) return false
  if (!now.level.isRunning) return at - known.seenAt <= WATCHED_MS
  // `starting` has no such word yet, and becomes `running` with one.
  return known.activeSince === undefined || now.activeSince === undefined || known.activeSince === now.activeSince
}

/** Goes through what the log says; `undefined` when that does not lead from what was known to what is seen. */
function replay(
  known: Known,
  now: Look | undefined,
  { at, told }: { readonly at: Instant; readonly told: readonly Told[] },
): readonly Stretch[] | undefined {
  // Drives have a log of their own.
  if (now !== undefined && now.level.disk !== known.level.disk) return undefined
  const changes = changesOf(known, { at, told })
  if ((changes.at(-1)?.what === 'delete') !== (now === undefined)) return undefined
  const stretches: Stretch[] = []
  let start = known.seenAt
  let level = known.level
  for (const [index, change] of [...changes, undefined].entries()) {
    const end = change?.at ?? at
    // Sizes change while a machine is stopped: of a time in which it ran and was not seen, before or after, nobody knows its size.
    const isSeen = index === 0 || change === undefined || !level.isRunning
    if (end > start) stretches.push({ start, end, level, isGuess: !isSeen })
    if (change === undefined) break
    start = change.at
    const isLast = index === changes.length - 1
    const size = isLast ? (now?.size ?? known.size) : leastSize(known.size, now?.size ?? known.size)
    level = change.what === 'delete' ? NOTHING : levelOf(change.what === 'start', size, known.level.disk)
  }
  return now === undefined || sameLevel(level, now.level) ? stretches : undefined
}

/** What changed anything, of what the log says: a start of what runs is none. Nothing comes after a delete. */
function changesOf({ level, seenAt }: Known, { at, told }: { readonly at: Instant; readonly told: readonly Told[] }): readonly Told[] {
  const changes: Told[] = []
  let { isRunning } = level
  for (const each of told) {
    if (each.at <= seenAt || each.at > at || (each.what === 'start' && isRunning) || (each.what === 'stop' && !isRunning)) continue
    changes.push(each)
    if (each.what === 'delete') break
    isRunning = each.what === 'start'
  }
  return changes
}

function leastSize(a: Size, b: Size): Size {
  return { cpu: Math.min(a.cpu, b.cpu), mem: Math.min(a.mem, b.mem), ip: Math.min(a.ip, b.ip), keptIp: Math.min(a.keptIp, b.keptIp) }
}

function stretch({ start, end, level }: Omit<Stretch, 'isGuess'>): Stretch {
  return { start, end, level, isGuess: false }
}

function instantOf(text: string | undefined): Instant | undefined {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? undefined : at
}
