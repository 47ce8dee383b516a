import type { TokenClock } from './clock.ts'
import { AnswerInvalidError, AuditFailedError, MintUnavailableError, SubjectMismatchError, TokenUnusableError } from './errors.ts'
import type { ImpersonationError } from './errors.ts'
import { unlessAborted, withDeadline } from './flight.ts'
import { ImpersonatedToken } from './impersonated-token.ts'
import { LruMap } from './lru-map.ts'
import type { AuditSink } from './mint-audit.ts'
import type { MinterChannel } from './minter-channel.ts'
import { DISCOVER_PATH, TOKEN_PATH, parseDiscovered, parseMintError, parseTokenAnswer } from './minter-protocol.ts'
import type { DiscoverQuestion, TokenAnswer, TokenQuestion } from './minter-protocol.ts'
import type { DiscoverOrder, Discovered, MintRequest, Minted, Minter } from './minter.ts'
import type { PeerCalls } from './peer-calls.ts'
import { SealedText } from './sealed-text.ts'
import type { Turnstile } from './turnstile.ts'
import { TransportError } from './wire.ts'
import type { WireResponse } from './wire.ts'

export type RemoteMinterOptions = {
  readonly channel: MinterChannel
  /** Whose region table the caller's is. */
  readonly impersonator: string
  readonly calls: PeerCalls
  readonly turnstile: Turnstile
  /** Told of every token before it is handed out; the trail itself is the minter's. */
  readonly audit: AuditSink
  readonly clock: TokenClock
  readonly mintTimeoutMs: number
}

/** Of the one secret that this process does not have. */
export const NO_SECRET = 'minter'
const TOKENS_REMEMBERED_MAX = 10_000

/** Has tokens made by a process that holds the client secret. What comes back is asserted here all the same. */
export function createRemoteMinter(options: RemoteMinterOptions): Minter {
  return new RemoteMinter(options)
}

class RemoteMinter implements Minter {
  readonly #options: RemoteMinterOptions
  /** Ids of the last tokens, to say which one the cloud has refused. */
  readonly #last = new LruMap<string>(TOKENS_REMEMBERED_MAX)
  #generations = 0

  constructor(options: RemoteMinterOptions) {
    this.#options = options
  }

  mint(request: MintRequest, signal: AbortSignal): Promise<Minted> {
    return this.#inTurn(signal, (own) => this.#mintNow(request, own))
  }

  discover(request: DiscoverOrder, signal: AbortSignal): Promise<Discovered> {
    return this.#inTurn(signal, (own) => this.#discoverNow(request, own))
  }

  async #inTurn<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { turnstile, clock, mintTimeoutMs } = this.#options
    const leave = await turnstile.enter(signal)
    try {
      return await withDeadline({ signal, clock, deadlineMs: mintTimeoutMs }, run)
    } finally {
      leave()
    }
  }

  async #mintNow(request: MintRequest, signal: AbortSignal): Promise<Minted> {
    const { impersonator, clock } = this.#options
    const { ownerUuid, endpoint, bindingGeneration: binding, actor, cause } = request
    const { region, origin } = endpoint
    const key = JSON.stringify([ownerUuid, region, binding])
    const rejected = cause === 'rejected' ? this.#last.get(key) : undefined
    const sentAtMs = clock.monotonicMs()
    const question = { owner: ownerUuid, region, binding, impersonator, actor, ...(rejected !== undefined && { rejected }) }
    const answer = parseTokenAnswer(await this.#ask(TOKEN_PATH, question, signal))
    const sealed = new SealedText(answer.accessToken)
    try {
      assertAnswer(answer, { ownerUuid, origin })
      await this.#tell(request, answer, signal)
      if (answer.record.tokenId !== undefined) this.#last.set(key, answer.record.tokenId)
      this.#generations += 1
      const { lifeMs } = answer
      const place = { region, origin, generation: this.#generations }
      const token = new ImpersonatedToken({ token: sealed, subject: ownerUuid, ...place, lifeMs, endsAtMs: sentAtMs + lifeMs, clock })
      return { token, sealed, secretVersion: NO_SECRET, sentAtMs }
    } catch (error) {
      sealed.destroy()
      throw error
    }
  }

  async #discoverNow({ ownerEmail, endpoint, actor }: DiscoverOrder, signal: AbortSignal): Promise<Discovered> {
    const { impersonator } = this.#options
    const { region, origin } = endpoint
    const said = parseDiscovered(await this.#ask(DISCOVER_PATH, { email: ownerEmail, region, impersonator, actor }, signal))
    const unsaid = { claims: undefined, clockAheadMs: undefined, requestId: undefined, lifeMs: 0, lifeFrom: 'assumed' } as const
    return { state: undefined, ...said, region, origin, ...unsaid }
  }

  async #ask(path: string, question: TokenQuestion | DiscoverQuestion, signal: AbortSignal): Promise<string> {
    const { channel, calls } = this.#options
    const send = async (own: AbortSignal): Promise<WireResponse> => {
      try {
        return heard(await channel.post(path, question, own), channel.place)
      } catch (cause) {
        own.throwIfAborted()
        throw unreachable(cause, channel.place)
      }
    }
    const { status, body } = await calls.run({ step: 'minter', host: channel.place, signal }, send)
    if (status === 200) return body
    throw parseMintError(body) ?? refused(status, channel.place)
  }

  async #tell(
    { ownerUuid, endpoint, bindingGeneration, actor, cause }: MintRequest,
    answer: TokenAnswer,
    signal: AbortSignal,
  ): Promise<void> {
    const { region, origin } = endpoint
    const about = { act: 'mint', outcome: 'minted', reason: undefined, cause, actor, ownerUuid, bindingGeneration, region, origin } as const
    try {
      await unlessAborted(this.#options.audit({ ...about, ...answer.record, lifeMs: answer.lifeMs }), signal)
    } catch (error) {
      if (signal.aborted) throw error
      throw new AuditFailedError('Cannot hand out a token: its record could not be taken', error)
    }
  }
}

/** whoever made it. */
function assertAnswer({ subject, origin }: TokenAnswer, wanted: { readonly ownerUuid: string; readonly origin: string }): void {
  if (subject.toLowerCase() !== wanted.ownerUuid)
    throw new SubjectMismatchError('Cannot act for this owner: the minter gave a token of another user (R-2)', {
      step: 'minter',
      reason: 'subject_mismatch',
    })
  if (origin !== wanted.origin)
    throw new TokenUnusableError(
      `Cannot use a token of ${JSON.stringify(origin.slice(0, 200))}: here that region is ${wanted.origin} (R-1)`,
      {
        step: 'minter',
        reason: 'wrong_origin',
      },
    )
}

/** What speaks of the minter itself, and not of whom it asked. */
function heard(response: WireResponse, place: string): WireResponse {
  const { status, body } = response
  if (status === 200 || (status !== 401 && parseMintError(body) !== undefined)) return response
  throw refused(status, place)
}

function refused(status: number, place: string): ImpersonationError {
  if (status === 401)
    return new MintUnavailableError(`Cannot get a token of the minter at ${place}: it does not know this program (401)`, {
      step: 'minter',
      reason: 'client_refused',
      status,
      hint: 'Check the token of the service account, its audience, and which accounts the minter serves',
    })
  if (status >= 500 || status === 429)
    return new MintUnavailableError(`Cannot get a token of the minter at ${place}: it is in trouble (${status})`, {
      step: 'minter',
      reason: 'server_error',
      status,
    })
  return new AnswerInvalidError(`Cannot get a token of the minter at ${place}: something else answers there (${status})`, {
    step: 'minter',
    reason: 'answer_invalid',
    status,
  })
}

function unreachable(cause: unknown, place: string): ImpersonationError {
  if (cause instanceof MintUnavailableError || cause instanceof AnswerInvalidError) return cause
  const what = cause instanceof TransportError ? cause.what : 'it cannot be reached'
  return new MintUnavailableError(`Cannot reach the minter at ${place}: ${what}`, {
    step: 'minter',
    reason: 'network',
    hint: 'See whether it runs; tokens in hand serve until they end',
  })
}
