import type { CloudSigmaMachine } from '@ascribe/kinds'
import type { Trouble } from './trouble.ts'
import type { Known, SeenDrive, SeenServer } from './types.ts'

/** What was read, and until when (monotonic) it is new enough; of what takes its time, until it is worth another look. */
export type Look<Thing> = { readonly until: number; readonly known: Known<Thing> }

/** What one process knows of a machine beyond what is on the object. Losing it costs time, never a machine. */
export type Memory = {
  /** A token that was made and is being written: if it turns up on the object, nobody has used it. */
  token: string | undefined
  /**
   * Something may have been made that is not on the object, in any create that began before this instant (monotonic). `undefined`: no.
   */
  doubtSince: number | undefined
  /** The object as the server last answered it to us: a cache may be older than what we wrote ourselves. */
  latest: { readonly machine: CloudSigmaMachine; readonly at: number } | undefined
  /** What was made for somebody else, as it stands on the object, or could not be written there yet. */
  quarantine: string | undefined
  /** Made, and not on the object yet. */
  made: { server: string | undefined; drives: { readonly disk: number; readonly drive: string }[] } | undefined
  /** The token that was last seen on the object. */
  seenToken: string | undefined
  /** A server that others named on the object, and that was doubted once: our own mark may have been lost beside it. */
  doubtedClaim: string | undefined
  /** What was last read of something that takes its time, and until when that is new enough. */
  readonly driveLooks: Map<string, Look<SeenDrive>>
  readonly serverLooks: Map<string, Look<SeenServer>>
  /** When progress was last asked for. */
  progressAt: number
  progress: string | undefined
  /** A step that failed, and until when it is not tried again. */
  blocked: { readonly step: string; readonly until: number; readonly epoch: number; readonly trouble: Trouble } | undefined
  /** When the first list without it was asked for. */
  emptyAt: number | undefined
  /** Nothing older than this says anything: the last change of ours to the machine's things (monotonic). */
  changedAt: number
  /** A look for second ones is due from then on. */
  sweepAt: number | undefined
  /** Failures in a row, and what last failed. */
  failures: number
  /** When what is waited for began, by drive or server. */
  readonly begun: Map<string, Begun>
  /** Job of a clone, for its progress. */
  readonly jobs: Map<string, string>
  /** When the API first said that the recorded server is not there (wall clock). */
  goneAt: number | undefined
  /** When our own last start of the server was answered (wall clock): not before the cloud's log would tell of it. */
  started: { readonly server: string; readonly at: number } | undefined
  /** When the server was last started because somebody else had stopped it. */
  restartedAt: number | undefined
  restarts: number
}

const MACHINES_MAX = 100_000

export type Memories = {
  /** Of one object; `isNew`: this process meets it for the first time, and another one may have made something with its token. */
  of(uid: string, now: number): Memory
  forget(uid: string): void
}

/** Memory of a token that this process finds, in doubt since now: since nobody else leads, whatever was made was made before. */
export function createMemories(): Memories {
  const memories = new Map<string, Memory>()
  return {
    of(uid, now) {
      const known = memories.get(uid)
      if (known !== undefined) return known
      if (memories.size >= MACHINES_MAX) memories.delete(memories.keys().next().value ?? '')
      const memory: Memory = {
        token: undefined,
        doubtSince: now,
        emptyAt: undefined,
        latest: undefined,
        quarantine: undefined,
        made: undefined,
        seenToken: undefined,
        doubtedClaim: undefined,
        progressAt: -Infinity,
        progress: undefined,
        driveLooks: new Map(),
        serverLooks: new Map(),
        blocked: undefined,
        changedAt: now,
        sweepAt: undefined,
        failures: 0,
        begun: new Map(),
        jobs: new Map(),
        goneAt: undefined,
        started: undefined,
        restartedAt: undefined,
        restarts: 0,
      }
      memories.set(uid, memory)
      return memory
    },
    forget: (uid) => void memories.delete(uid),
  }
}

/** Something that takes its time: since when, and the last look at it that found it not done. Monotonic. */
export type Begun = { readonly at: number; readonly what: string; notYetAt: number }

/**
 * How long things take, learnt from how long they took, so that most are looked at once, when they are done. While nobody knows yet, one
 * looks and the others wait for what it finds: a thousand clones that begin together cost as many looks as one.
 */
export type Durations = {
  /** How long to wait before looking at it is worth a call; 0: now. */
  waitMs(begun: Begun, now: number): number
  /** Somebody looks now. */
  look(begun: Begun, now: number): void
  /** It is done. */
  done(begun: Begun, now: number): void
}

const FIRST_LOOK_MS = 1_000
const LOOK_AGAIN_MS_MAX = 10_000
const LOOK_AGAIN_MS_MIN = 200
/** How much longer each time, while nothing is known: what it costs in time at most. */
const GROWTH = 1.15
const MARGIN = 1.02
const MARGIN_MS = 20
/** A look too early costs one call, and only sometimes; one too late costs every machine of an owner its turn. */
const EARLIER = 0.97

/** The next look after one at `elapsedMs` that came too early. */
function later(elapsedMs: number): number {
  return elapsedMs + Math.min(LOOK_AGAIN_MS_MAX, Math.max(LOOK_AGAIN_MS_MIN, elapsedMs * (GROWTH - 1)))
}

export function createDurations(): Durations {
  const expected = new Map<string, number>()
  const scouted = new Map<string, number>()

  /** When a look at it is due, from its beginning, by what is known now. */
  function dueMs({ at, what, notYetAt }: Begun): number {
    const known = expected.get(what)
    const due = known === undefined ? Math.max(FIRST_LOOK_MS, later(scouted.get(what) ?? 0)) : known * MARGIN + MARGIN_MS
    const looked = notYetAt - at
    return Math.max(due, looked <= 0 ? 0 : later(looked))
  }

  return {
    waitMs(begun, now) {
      return Math.max(0, Math.ceil(dueMs(begun) - (now - begun.at)))
    },
    look(begun, now) {
      const { at, what } = begun
      // A look that comes late, because its owner's workers are busy, must not make the others wait for that too.
      scouted.set(what, Math.max(scouted.get(what) ?? 0, Math.min(now - at, dueMs(begun))))
    },
    done({ at, what, notYetAt }, now) {
      const known = expected.get(what)
      const undoneMs = notYetAt - at
      // Seen undone when it should have been done: it takes longer. It was done between the two looks; that the later one came late is our
      // own queue's doing, so it counts for what it was planned for at most.
      if (undoneMs >= (known ?? 1))
        expected.set(what, Math.max(1, Math.min(now - at, Math.max(FIRST_LOOK_MS, later(undoneMs))) - MARGIN_MS))
      // Done at the first look, or undone only when that was known: it may have been done earlier, so a little earlier next time.
      else expected.set(what, known === undefined ? Math.max(1, Math.min(now - at, FIRST_LOOK_MS) - MARGIN_MS) : known * EARLIER)
      scouted.delete(what)
    },
  }
}
