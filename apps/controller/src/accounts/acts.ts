import { AsyncLocalStorage } from 'node:async_hooks'
import type { CallSeen } from '@ascribe/cloudsigma'
import type { JournalWriter, OpenIntent } from '@ascribe/journal'
import type { Clock, Logger } from '@ascribe/kit'
import { createIdSource } from '@ascribe/units'
import { ownerAuthId, platformAuthId } from '@ascribe/usage'
import type { ActIntent, ActRecord } from '@ascribe/usage'
import { endingOf, endingOfError } from './act-outcome.ts'
import type { Ending } from './act-outcome.ts'
import { ActNotRecordedError } from './errors.ts'
import type { MintFold } from './mint-fold.ts'
import type { Act, ActAccount, ActFence, Acts, MachineRef } from './types.ts'

export type ActsOptions = {
  /** Of this process. Its intents have to become durable: `sync()`. */
  readonly journal: Pick<JournalWriter, 'admit' | 'sync'>
  readonly fence: ActFence
  /** What calls itself: `ascribe-controller/<pod>`. */
  readonly controller: string
  readonly clock: Clock
  readonly logger: Logger
  /** Tokens that were minted, folded into the acts that they served. Default: none are. */
  readonly mints?: Pick<MintFold, 'take'>
}

/** What the cloud said last, within one act. */
type Seen = { requestId?: string; status?: number }

/**
 * Does what changes a cloud account, each act written down durably before it is sent and again when it has ended. Its journal goes to the
 * settler as usage does, and from there into the access log of the organization of the owner.
 */
export function createActs(options: ActsOptions): Acts {
  return new JournaledActs(options)
}

class JournaledActs implements Acts {
  readonly #options: ActsOptions
  readonly #nextId: () => string
  readonly #current = new AsyncLocalStorage<Seen>()

  constructor(options: ActsOptions) {
    this.#options = options
    this.#nextId = createIdSource(options.clock)
  }

  async perform<Result>(act: Act, call: () => Promise<Result>): Promise<Result> {
    const { fence } = this.#options
    fence.check(act.deadlineMs)
    const intent = this.#intentOf(act)
    const open = await this.#record(intent)
    const type = act.verb.endsWith('drive') ? 'drive' : 'server'
    try {
      // The journal took its time; the lead may have ended meanwhile.
      fence.check(act.deadlineMs)
    } catch (error) {
      await this.#end(open, { intent, ending: { outcome: 'not_sent', fault: 'fenced' } })
      throw error
    }
    const seen: Seen = {}
    try {
      const result = await this.#current.run(seen, call)
      await this.#end(open, { intent, ending: withSeen(endingOf(result, type), seen) })
      return result
    } catch (error) {
      await this.#end(open, { intent, ending: withSeen(endingOfError(error, type), seen) })
      throw error
    }
  }

  observe(call: CallSeen): void {
    const seen = this.#current.getStore()
    if (seen === undefined) return
    if (call.requestId !== undefined) seen.requestId = call.requestId
    if (call.status !== undefined) seen.status = call.status
  }

  /** Resolves when the intent would survive a loss of power. @throws {ActNotRecordedError} */
  async #record(intent: ActIntent): Promise<OpenIntent> {
    const { journal } = this.#options
    try {
      const open = journal.admit(intent.eventId, JSON.stringify(intent))
      await Promise.all([open.written, open.written.then(() => journal.sync())])
      return open
    } catch (cause) {
      throw new ActNotRecordedError(
        `Cannot ${intent.verb.replaceAll('_', ' ')} for ${intent.actor.object}: the journal does not take it, so nothing was sent`,
        { cause },
      )
    }
  }

  /** What was done was done, whether or not this can be written: recovery then says that nobody knows. */
  async #end(open: OpenIntent, { intent, ending }: { readonly intent: ActIntent; readonly ending: Ending }): Promise<void> {
    const { clock, logger, mints } = this.#options
    const folded = mints?.take(intent.account.userId) ?? []
    const record: ActRecord = {
      ...intent,
      endedAt: Math.max(clock(), intent.startedAt),
      ...ending,
      ...(folded.length > 0 && { mints: folded }),
    }
    try {
      await open.settle(JSON.stringify(record))
    } catch (error) {
      logger.error('outcome of an act could not be written, nothing more is done', { act: intent.eventId, verb: intent.verb, error })
    }
  }

  #intentOf({ verb, account, machine, resource, requestedBy }: Act): ActIntent {
    const { controller, clock } = this.#options
    return {
      kind: 'act',
      eventId: this.#nextId(),
      startedAt: clock(),
      verb,
      authId: authIdOf(account, machine),
      account: {
        kind: account.kind,
        userId: account.userUUID,
        region: account.region,
        ...(account.binding !== undefined && { binding: account.binding }),
      },
      actor: {
        controller,
        object: objectOf(machine),
        objectUid: machine.uid,
        ...(machine.cluster !== undefined && { cluster: machine.cluster }),
        ...(requestedBy !== undefined && { requestedBy }),
      },
      ...(resource !== undefined && { resource }),
    }
  }
}

function withSeen(ending: Ending, { requestId, status }: Seen): Ending {
  return {
    ...ending,
    ...(ending.cloudRequestId === undefined && requestId !== undefined && { cloudRequestId: requestId.slice(0, 128) }),
    ...(ending.status === undefined && status !== undefined && { status }),
  }
}

/** Whose it is: the owner's, or what a namespace has in the platform's account. */
export function authIdOf({ kind, userUUID }: Pick<ActAccount, 'kind' | 'userUUID'>, { namespace }: Pick<MachineRef, 'namespace'>): string {
  return kind === 'Owner' ? ownerAuthId(userUUID) : platformAuthId(userUUID, namespace)
}

function objectOf({ kind = 'CloudSigmaMachine', namespace, name }: MachineRef): string {
  return `${kind} ${namespace}/${name}`
}
