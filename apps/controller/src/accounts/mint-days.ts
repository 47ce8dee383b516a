import { hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { JournalWriter } from '@ascribe/journal'
import { errorCode } from '@ascribe/kit'
import type { Clock, Logger } from '@ascribe/kit'
import { createIdSource, dayOf, isUuid, parseInstant } from '@ascribe/units'
import { ownerAuthId } from '@ascribe/usage'
import type { MintDay } from '@ascribe/usage'

export type MintDaysOptions = {
  /** The trail of tokens, `DIR/audit/mints.jsonl`. */
  readonly path: string
  readonly journal: Pick<JournalWriter, 'admit'>
  readonly controller: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Tells each owner how many tokens were minted in the owner's name on a day that is over. */
export type MintDays = {
  /** Looks at what the trail has grown by. Call it now and then; never throws, because nothing waits for it. */
  emit(): Promise<void>
}

type Count = {
  minted: number
  refused: number
  discarded: number
  readonly regions: Set<string>
  readonly day: number
  readonly userId: string
}

const DAY_MS = 86_400_000
/** Of the days on which something was minted, those that are counted when a process starts: older ones were told by the processes before it, however long nobody ran since. */
const BACK_DAYS = 3
/** A day is over when no mint of it can be under way any more. */
const LINGER_MS = 600_000

/**
 * Counts the trail by owner and UTC day. A day is told when it is over, by every process that finds it in its trail: which trail, whose and
 * which day make the name of the count, and the ledger has each name once.
 */
export function createMintDays({ path, journal, controller, clock, logger }: MintDaysOptions): MintDays {
  const nextId = createIdSource(clock)
  const told = new Set<string>()
  return {
    async emit() {
      try {
        const { counts, trail } = await countDays(path, dayOf(clock() - LINGER_MS).start)
        for (const count of counts) {
          const name = hash('sha256', JSON.stringify([trail, count.userId, count.day]), 'hex').slice(0, 32)
          if (told.has(name)) continue
          const day = dayRecord(count, { controller, eventId: nextId(), name })
          const text = JSON.stringify(day)
          const open = journal.admit(day.eventId, text)
          await open.written
          await open.settle(text)
          told.add(name)
        }
      } catch (error) {
        logger.warn('the tokens of yesterday are not counted yet', { error })
      }
    },
  }
}

const LOOK_MS = 3_600_000

/** Looks now and once an hour, until it is disposed of. The journal has to outlive it. */
export function tellMintDays(options: MintDaysOptions): AsyncDisposable {
  const days = createMintDays(options)
  let running = days.emit()
  const timer = setInterval(() => void (running = running.then(() => days.emit())), LOOK_MS).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await running
    },
  }
}

/** The last days before `until` that the trail speaks of. */
async function countDays(path: string, until: number): Promise<{ readonly counts: readonly Count[]; readonly trail: string }> {
  const days = new Map<number, Map<string, Count>>()
  let trail: string | undefined
  try {
    for await (const text of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
      trail ??= hash('sha256', text, 'hex')
      const line = lineOf(text)
      if (line === undefined || line.at >= until) continue
      const day = dayOf(line.at).start
      const counts = days.getOrInsertComputed(day, () => new Map<string, Count>())
      if (days.size > BACK_DAYS) days.delete(Math.min(...days.keys()))
      const count = counts.getOrInsertComputed(line.owner, () => ({
        minted: 0,
        refused: 0,
        discarded: 0,
        regions: new Set<string>(),
        day,
        userId: line.owner,
      }))
      count[line.outcome] += 1
      count.regions.add(line.region)
    }
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  return { counts: [...days.values()].flatMap((counts) => [...counts.values()]), trail: trail ?? '' }
}

type Line = { readonly at: number; readonly owner: string; readonly outcome: 'minted' | 'refused' | 'discarded'; readonly region: string }

/** A line of the trail that is about a known owner; cut off or foreign ones say nothing here. */
function lineOf(text: string): Line | undefined {
  try {
    const { at, owner, outcome, region } = JSON.parse(text) as Record<string, unknown>
    const instant = typeof at === 'string' ? parseInstant(at) : undefined
    if (instant === undefined || typeof owner !== 'string' || !isUuid(owner) || typeof region !== 'string') return undefined
    return outcome === 'minted' || outcome === 'refused' || outcome === 'discarded' ? { at: instant, owner, outcome, region } : undefined
  } catch {
    return undefined
  }
}

function dayRecord(
  { day, userId, minted, refused, discarded, regions }: Count,
  { controller, eventId, name }: { readonly controller: string; readonly eventId: string; readonly name: string },
): MintDay {
  return {
    kind: 'mint_day',
    eventId,
    name,
    startedAt: day,
    endedAt: day + DAY_MS,
    authId: ownerAuthId(userId),
    userId,
    controller,
    minted,
    refused,
    discarded,
    regions: [...regions].toSorted(),
  }
}
