import type { JournalWriter } from '@ascribe/journal'
import type { Clock, Logger } from '@ascribe/kit'
import { createIdSource, hourOf } from '@ascribe/units'
import type { MachineNote, StatedUsage } from '@ascribe/usage'
import { authIdOf } from './acts.ts'
import { LifeNotRecordedError } from './errors.ts'
import { toldOf } from './history.ts'
import { type Level, type Look, lookOf, NOTHING, sameLevel } from './level.ts'
import { machineRecord } from './machine-record.ts'
import { formatState, parseState } from './metered-state.ts'
import type { MeteredState } from './metered-state.ts'
import { NO_REST, partsOf } from './quantities.ts'
import { isContinuous, stretchesBetween } from './stretches.ts'
import type { Known, Stretch, Told } from './stretches.ts'
import type { Lives, Metered, Observation } from './types.ts'

export type LivesOptions = {
  /** Of this process. */
  readonly journal: Pick<JournalWriter, 'admit' | 'sync'>
  readonly clock: Clock
  readonly logger: Logger
}

/** What this process knows of a machine beside its annotation. */
type Memory = {
  /** The level that the annotation names was seen last then. */
  seenAt: number
  /** What was answered last: should it be what the object says, the machine was seen so then. */
  offered: { readonly annotation: string; readonly seenAt: number } | undefined
  /** The annotation whose `owed` is in the journal. */
  written: string | undefined
  /** Of the note that was written last. */
  noted: string | undefined
}

/** A start so long ago is not one that we have just made: the machine was somebody else's to count. */
const JUST_MS = 600_000

/** Makes usage records of machines' lives (ADR 0089). */
export function createLives(options: LivesOptions): Lives {
  return new JournaledLives(options)
}

class JournaledLives implements Lives {
  readonly #options: LivesOptions
  readonly #nextId: () => string
  /** By the object's uid; a machine that is gone is forgotten, so it is bounded by the machines there are. */
  readonly #memories = new Map<string, Memory>()

  constructor(options: LivesOptions) {
    this.#options = options
    this.#nextId = createIdSource(options.clock)
  }

  async observe(observation: Observation): Promise<Metered> {
    const { annotation, sight, machine } = observation
    const look = 'server' in sight ? lookOf(sight.server, sight.driveBytes) : undefined
    const state = annotation === undefined ? undefined : parseState(annotation)
    if (state === undefined) return this.#begin(observation, look)
    const memory = this.#memories.getOrInsertComputed(machine.uid, () => newMemory())
    if (memory.written !== annotation) {
      await this.#write(state, observation)
      const { offered } = memory
      memory.seenAt = offered !== undefined && offered.annotation === annotation ? offered.seenAt : state.from
      memory.written = annotation
    }
    await this.#note(observation, { state, look, memory })
    if (state.isGone) {
      if (look === undefined) this.#memories.delete(machine.uid)
      return { isSettled: true }
    }
    if ('server' in sight && sight.server.uuid !== state.server) return this.#other(observation, { state, look })
    const next = await this.#advance(state, { observation, look, memory })
    if (next === undefined) return { isSettled: true }
    const offered = formatState(next)
    memory.offered = { annotation: offered, seenAt: Math.max(observation.at, memory.seenAt) }
    return { annotation: offered, isSettled: false }
  }

  /**
   * The first sight. What was before it nobody has seen, and nobody pays for; but for a start that has just been: machines are looked at once
   * they are on their object, which may be after they were started.
   */
  async #begin(observation: Observation, look: Look | undefined): Promise<Metered> {
    const { annotation, sight, at, machine } = observation
    if (annotation !== undefined)
      this.#options.logger.error('what was counted of a machine cannot be read, counting begins anew', { machine: machine.uid })
    if (look === undefined || !('server' in sight)) return { isSettled: true }
    const server = sight.server.uuid
    const isNew = annotation === undefined && look.level.isRunning
    const told = isNew ? await this.#ask(observation, { server, since: at - JUST_MS }) : undefined
    const started = told?.findLast(({ what, at: instant }) => what === 'start' && instant <= at && instant >= at - JUST_MS)
    const from = started?.at ?? at
    return { annotation: formatState(stateOf(server, { look, at: from, since: from })), isSettled: false }
  }

  /** Another server than the one that was counted: that one is gone, by the word of whoever has put another in its place. */
  #other({ at }: Observation, { state }: { readonly state: MeteredState; readonly look: Look | undefined }): Metered {
    const end = Math.max(at, state.from)
    const stretches: readonly Stretch[] = [{ start: state.from, end, level: state.level, isGuess: true }]
    return { annotation: formatState({ ...follow(state, stretches, end), level: NOTHING, isGone: true }), isSettled: false }
  }

  /** The state that follows from a sight; undefined while nothing is to be written down. */
  async #advance(
    state: MeteredState,
    { observation, look, memory }: { readonly observation: Observation; readonly look: Look | undefined; readonly memory: Memory },
  ): Promise<MeteredState | undefined> {
    // An answer that is older than what was counted says nothing new.
    const at = Math.max(observation.at, memory.seenAt)
    const known: Known = { level: state.level, size: state.size, activeSince: state.activeSince, seenAt: memory.seenAt }
    if (look !== undefined && observation.at < memory.seenAt) return undefined
    if (look !== undefined && isContinuous(known, look, at)) {
      memory.seenAt = at
      const hour = hourOf(at).start
      const isTold = look.activeSince !== undefined && state.activeSince === undefined
      if (hour <= state.from) return isTold ? { ...state, activeSince: look.activeSince } : undefined
      return { ...follow(state, [certain(state.from, hour, state.level)], hour), activeSince: look.activeSince }
    }
    const told = await this.#ask(observation, { server: state.server, since: memory.seenAt })
    const stretches = joined([certain(state.from, memory.seenAt, state.level), ...stretchesBetween(known, look, { at, told })])
    const open = stretches.at(-1)
    // The last stretch goes on, if it is certain: it is cut when it changes, or at the next full hour.
    const goesOn = look !== undefined && open !== undefined && !open.isGuess && open.end === at && sameLevel(open.level, look.level)
    const from = goesOn ? Math.max(open.start, hourOf(at).start) : at
    const closed = stretches.flatMap((stretch) => (stretch.start < from ? [{ ...stretch, end: Math.min(stretch.end, from) }] : []))
    const next = follow(state, closed, from)
    if (look === undefined) return { ...next, level: NOTHING, isGone: true, activeSince: undefined }
    return { ...next, level: look.level, size: look.size, activeSince: look.activeSince }
  }

  async #ask(
    { history, machine }: Observation,
    { server, since }: { readonly server: string; readonly since: number },
  ): Promise<readonly Told[] | undefined> {
    if (history === undefined) return undefined
    try {
      return toldOf(await history(since), server)
    } catch (error) {
      this.#options.logger.warn('the cloud does not say when a machine changed, its time is estimated', { machine: machine.uid, error })
      return undefined
    }
  }

  /** @throws {LifeNotRecordedError} and what is owed stays owed */
  async #write(state: MeteredState, { machine, account }: Observation): Promise<void> {
    const { parts } = partsOf(state.owed, state.rest)
    const payloads = parts.map((part): StatedUsage => ({
      kind: 'usage',
      eventId: this.#nextId(),
      record: machineRecord(state.server, part, { machine, account }),
    }))
    await this.#settle(payloads)
  }

  async #note(
    { machine, account, at }: Observation,
    { state, look, memory }: { readonly state: MeteredState; readonly look: Look | undefined; readonly memory: Memory },
  ): Promise<void> {
    const level = look?.level ?? state.level
    const what = {
      serverId: state.server,
      name: machine.name,
      namespace: machine.namespace,
      ...(machine.cluster !== undefined && { cluster: machine.cluster }),
      region: account.region,
      account: account.kind,
      authId: authIdOf(account, machine),
      userId: account.userUUID,
      state: look === undefined ? ('deleted' as const) : level.isRunning ? ('running' as const) : ('stopped' as const),
      cpuMhz: (look?.size ?? state.size).cpu,
      memoryMib: Math.floor((look?.size ?? state.size).mem / 2 ** 20),
      diskBytes: String(level.disk),
      addresses: level.ip,
      since: state.since,
    }
    const text = JSON.stringify(what)
    if (memory.noted === text) return
    const note: MachineNote = { kind: 'machine', eventId: this.#nextId(), startedAt: Math.max(at, state.from), ...what }
    await this.#settle([note])
    memory.noted = text
  }

  async #settle(payloads: readonly (StatedUsage | MachineNote)[]): Promise<void> {
    try {
      await Promise.all(
        payloads.map(async (payload) => {
          // The intent says all there is: should the process die between, recovery closes it as it stands.
          const text = JSON.stringify(payload)
          const open = this.#options.journal.admit(payload.eventId, text)
          await open.written
          await open.settle(text)
        }),
      )
    } catch (cause) {
      throw new LifeNotRecordedError('Cannot write down what machines have used: the journal does not take it', { cause })
    }
  }
}

function newMemory(): Memory {
  return { seenAt: 0, offered: undefined, written: undefined, noted: undefined }
}

function stateOf(server: string, { look, at, since }: { readonly look: Look; readonly at: number; readonly since: number }): MeteredState {
  const { level, size, activeSince } = look
  return { server, since, from: at, level, size, activeSince, rest: NO_REST, owed: [], isGone: false }
}

/** What follows: the stretches are owed, those before are in the journal. */
function follow(state: MeteredState, owed: readonly Stretch[], from: number): MeteredState {
  return { ...state, rest: partsOf(state.owed, state.rest).rest, owed: owed.filter(({ start, end }) => start < end), from }
}

function certain(start: number, end: number, level: Level): Stretch {
  return { start, end, level, isGuess: false }
}

/** Stretches that say the same become one. */
function joined(stretches: readonly Stretch[]): readonly Stretch[] {
  const all: Stretch[] = []
  for (const stretch of stretches) {
    const last = all.at(-1)
    if (stretch.start >= stretch.end) continue
    if (last !== undefined && last.isGuess === stretch.isGuess && sameLevel(last.level, stretch.level))
      all[all.length - 1] = { ...last, end: stretch.end }
    else all.push(stretch)
  }
  return all
}
