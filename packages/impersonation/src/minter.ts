import type { TokenClock } from './clock.ts'
import { AuditFailedError, ImpersonationError, OwnerRefusedError, SubjectMismatchError } from './errors.ts'
import type { ImpersonationErrorFields, Reason } from './errors.ts'
import { unlessAborted, withDeadline } from './flight.ts'
import { ImpersonatedToken } from './impersonated-token.ts'
import type { Instruments } from './instruments.ts'
import { tokenIdOf } from './mint-audit.ts'
import type { Actor, AuditSink, MintAudit } from './mint-audit.ts'
import type { MintSteps } from './mint-steps.ts'
import { isSameEmail } from './owner.ts'
import type { PeerCalls } from './peer-calls.ts'
import type { Profile } from './read-profile.ts'
import type { RegionEndpoint } from './region-table.ts'
import type { SealedText } from './sealed-text.ts'
import { isPairRefused } from './service-pair.ts'
import type { ServicePairs } from './service-pair.ts'
import type { TokenClaims } from './token-claims.ts'
import type { TokenResponse } from './token-response.ts'
import type { Turnstile } from './turnstile.ts'

/** Whose token is wanted, all of it checked. */
export type MintRequest = {
  readonly ownerUuid: string
  readonly ownerEmail: string
  readonly endpoint: RegionEndpoint
  readonly bindingGeneration: string | number
  readonly cause: MintAudit['cause']
  readonly actor: Actor
}

export type Minted = {
  readonly token: ImpersonatedToken
  readonly sealed: SealedText
  readonly secretVersion: string
  readonly sentAtMs: number
}

/** What somebody with the client secret learns about an address. No token comes with it. */
export type Discovered = {
  readonly ownerUuid: string
  readonly ownerEmail: string
  /** As the cloud has it: `REGULAR`, `TRIAL`, … */
  readonly state: string | undefined
  readonly region: string
  readonly origin: string
  /** Of the token that was minted for this, and destroyed. */
  readonly lifeMs: number
  readonly lifeFrom: 'expires_in' | 'claims' | 'both' | 'assumed'
  readonly claims: TokenClaims | undefined
  /** How far the clock of whoever signs tokens is ahead of ours, by `iat`; whole seconds at best. */
  readonly clockAheadMs: number | undefined
  readonly requestId: string | undefined
}

export type DiscoverOrder = { readonly ownerEmail: string; readonly endpoint: RegionEndpoint; readonly actor: Actor }

export type Minter = {
  mint(request: MintRequest, signal: AbortSignal): Promise<Minted>
  discover(request: DiscoverOrder, signal: AbortSignal): Promise<Discovered>
}

export type MinterOptions = {
  readonly steps: MintSteps
  readonly calls: PeerCalls
  readonly pairs: ServicePairs
  readonly turnstile: Turnstile
  readonly audit: AuditSink
  readonly instruments: Instruments
  readonly clock: TokenClock
  /** From its turn on, for all the steps of one token. */
  readonly mintTimeoutMs: number
  readonly issuer: string
  readonly clientId: string
  /** The claim that holds the owner's UUID where tokens are JWTs; `undefined` leaves it to the profile. */
  readonly subjectClaim: 'sub' | undefined
}

type Unproven = {
  readonly sealed: SealedText
  readonly lifeMs: number
  readonly lifeFrom: Discovered['lifeFrom']
  readonly claims: TokenClaims | undefined
  readonly sentAtMs: number
  readonly secretVersion: string
}

/** Makes tokens: pair, step 3, assertion, audit. Knows no cache. */
export function createMinter(options: MinterOptions): Minter {
  return new WireMinter(options)
}

type About = Pick<MintAudit, 'act' | 'cause' | 'actor' | 'ownerUuid' | 'bindingGeneration' | 'region' | 'origin'>
type Proof = Pick<MintAudit, 'requestId' | 'tokenId' | 'tokenActor' | 'lifeMs'>

type WriteOptions = {
  readonly outcome: MintAudit['outcome']
  readonly proof: Proof
  readonly signal: AbortSignal
  readonly reason?: Reason | undefined
}
/** A place among those who mint. */
type Turn = { readonly signal: AbortSignal; readonly leave: () => void }

/** A refusal is told within this, whatever the sink does. */
const REFUSAL_WRITE_MS = 5_000
const NO_PROOF: Proof = { requestId: undefined, tokenId: undefined, tokenActor: undefined, lifeMs: undefined }

class WireMinter implements Minter {
  readonly #options: MinterOptions
  #generations = 0

  constructor(options: MinterOptions) {
    this.#options = options
  }

  mint(request: MintRequest, signal: AbortSignal): Promise<Minted> {
    return this.#inTurn(signal, (own, leave) => this.#mintNow(request, { signal: own, leave }))
  }

  discover(request: DiscoverOrder, signal: AbortSignal): Promise<Discovered> {
    return this.#inTurn(signal, (own, leave) => this.#discoverNow(request, { signal: own, leave }))
  }

  /** Waits for its turn, and only then counts time: who waits long must not fail for it. `leave` gives the place back early. */
  async #inTurn<T>(signal: AbortSignal, run: (signal: AbortSignal, leave: () => void) => Promise<T>): Promise<T> {
    const { turnstile, clock, mintTimeoutMs } = this.#options
    const leave = await turnstile.enter(signal)
    try {
      return await withDeadline({ signal, clock, deadlineMs: mintTimeoutMs }, (own) => run(own, leave))
    } finally {
      leave()
    }
  }

  async #mintNow(request: MintRequest, { signal, leave }: Turn): Promise<Minted> {
    const { clock } = this.#options
    const { ownerUuid, ownerEmail, endpoint, bindingGeneration, cause, actor } = request
    const { region, origin } = endpoint
    const about: About = { act: 'mint', cause, actor, ownerUuid, bindingGeneration, region, origin }
    let unproven: Unproven | undefined
    let proof: Proof | undefined
    try {
      unproven = await this.#impersonate(endpoint, ownerEmail, signal)
      leave()
      const { sealed, lifeMs, sentAtMs, secretVersion } = unproven
      proof = proofOf(unproven)
      const { requestId } = await this.#prove(request, unproven, signal)
      const written = { ...proof, requestId }
      // From here on its one record is this one, whether it could be written or not.
      proof = undefined
      await this.#write(about, { outcome: 'minted', proof: written, signal })
      signal.throwIfAborted()
      this.#generations += 1
      const generation = this.#generations
      const endsAtMs = sentAtMs + lifeMs
      const token = new ImpersonatedToken({ token: sealed, subject: ownerUuid, region, origin, generation, lifeMs, endsAtMs, clock })
      return { token, sealed, secretVersion, sentAtMs }
    } catch (error) {
      unproven?.sealed.destroy()
      await this.#writeFailure(about, error, proof)
      throw error
    }
  }

  async #discoverNow(request: DiscoverOrder, { signal, leave }: Turn): Promise<Discovered> {
    const { ownerEmail, endpoint, actor } = request
    const { region, origin } = endpoint
    const about: About = { act: 'discover', cause: 'first', actor, ownerUuid: undefined, bindingGeneration: undefined, region, origin }
    let unproven: Unproven | undefined
    let profile: Profile | undefined
    let proof: Proof | undefined
    try {
      unproven = await this.#impersonate(endpoint, ownerEmail, signal)
      leave()
      proof = proofOf(unproven)
      const { sealed, claims, lifeMs, lifeFrom } = unproven
      const clockAheadMs = claims?.iat === undefined ? undefined : claims.iat * 1000 - this.#options.clock.wallMs()
      profile = await this.#profileOf(endpoint, sealed, signal)
      assertEmail(profile, ownerEmail)
      const { uuid, email, state, requestId } = profile
      const written = { ...proof, requestId }
      proof = undefined
      await this.#write({ ...about, ownerUuid: uuid }, { outcome: 'minted', proof: written, signal })
      return { ownerUuid: uuid, ownerEmail: email, state, region, origin, lifeMs, lifeFrom, claims, clockAheadMs, requestId }
    } catch (error) {
      await this.#writeFailure({ ...about, ownerUuid: profile?.uuid }, error, proof)
      throw error
    } finally {
      unproven?.sealed.destroy()
    }
  }

  /** Steps 1 to 3. When the cloud does not believe the pair any more, once with another one. */
  async #impersonate(endpoint: RegionEndpoint, ownerEmail: string, signal: AbortSignal): Promise<Unproven> {
    const { pairs, calls, steps, clock } = this.#options
    for (let attempt = 0; ; attempt += 1) {
      const { serviceToken, rpt, generation, secretVersion } = await pairs.get(signal)
      const { host } = endpoint.impersonateUrl
      // Counted from the sending: the token cannot be older than that. Of two sendings the first counts.
      const sentAtMs = clock.monotonicMs()
      try {
        const send = (own: AbortSignal): Promise<TokenResponse> => steps.impersonate({ endpoint, rpt, serviceToken, ownerEmail }, own)
        const { token, lifeMs, lifeFrom, claims } = await calls.run({ step: 'impersonate', host, signal }, send)
        return { sealed: token, lifeMs, lifeFrom, claims, sentAtMs, secretVersion }
      } catch (cause) {
        if (!isPairRefused(cause) || attempt > 0) throw cause
        pairs.drop(generation)
      }
    }
  }

  /** the token's own word where it gives one, and the profile behind it. @throws {SubjectMismatchError | OwnerRefusedError} */
  async #prove(request: MintRequest, unproven: Unproven, signal: AbortSignal): Promise<Profile> {
    const { subjectClaim } = this.#options
    const { endpoint, ownerUuid, ownerEmail } = request
    const claimed = subjectClaim === undefined ? undefined : unproven.claims?.[subjectClaim]
    if (claimed !== undefined && claimed.toLowerCase() !== ownerUuid)
      throw mismatch('its subject is another user', { step: 'impersonate', reason: 'subject_mismatch' })
    const profile = await this.#profileOf(endpoint, unproven.sealed, signal)
    if (profile.uuid !== ownerUuid)
      throw mismatch('its profile is another user', { step: 'profile', reason: 'subject_mismatch', requestId: profile.requestId })
    assertEmail(profile, ownerEmail)
    // The one state that is known to mean it; others, such as TRIAL, are none of ours.
    if (profile.state?.toUpperCase() === 'SUSPENDED')
      throw new OwnerRefusedError('Cannot act for this owner: the account is suspended', {
        step: 'profile',
        reason: 'user_refused',
        hint: 'Its owner, or the cloud, has to settle that',
        requestId: profile.requestId,
      })
    return profile
  }

  #profileOf(endpoint: RegionEndpoint, token: SealedText, signal: AbortSignal): Promise<Profile> {
    const { calls, steps } = this.#options
    return calls.run({ step: 'profile', host: endpoint.apiUrl.host, signal }, (own) => steps.profile({ endpoint, token }, own))
  }

  async #write(about: About, { outcome, proof, signal, reason }: WriteOptions): Promise<void> {
    const { audit, clock, instruments, issuer, clientId } = this.#options
    try {
      await unlessAborted(audit({ at: clock.wallMs(), ...about, outcome, reason, issuer, clientId, ...proof }), signal)
    } catch (cause) {
      // Callers that left are no failure of the sink; a sink that took all the time there was is one.
      if (signal.aborted && !(signal.reason instanceof ImpersonationError)) throw cause
      instruments.auditFailures.add(1)
      throw new AuditFailedError('Cannot hand out a token: its audit record could not be written', cause)
    }
  }

  /** Writes down who was refused, and the token that was minted all the same. When that fails too it is counted, and what is thrown stays. */
  async #writeFailure(about: About, error: unknown, minted: Proof | undefined): Promise<void> {
    const isRefusal = error instanceof ImpersonationError && !error.retryable
    if (!isRefusal && minted === undefined) return
    const { requestId, reason = 'abandoned' } = error instanceof ImpersonationError ? error : {}
    const proof = { ...(minted ?? NO_PROOF), requestId }
    const outcome = isRefusal ? 'refused' : 'discarded'
    const limits = { signal: new AbortController().signal, clock: this.#options.clock, deadlineMs: REFUSAL_WRITE_MS }
    await withDeadline(limits, (signal) => this.#write(about, { outcome, proof, signal, reason })).catch(() => {})
  }
}

function proofOf({ sealed, claims, lifeMs }: Unproven): Proof {
  return { requestId: undefined, tokenId: tokenIdOf(sealed, claims), tokenActor: claims?.actor, lifeMs }
}

function assertEmail({ email, requestId }: Profile, wanted: string): void {
  if (!isSameEmail(email, wanted))
    throw mismatch('its profile has another e-mail address', { step: 'profile', reason: 'email_mismatch', requestId })
}

function mismatch(how: string, fields: ImpersonationErrorFields): SubjectMismatchError {
  const hint = 'Nothing was done with the token. Check the binding: the address may belong to somebody else by now'
  return new SubjectMismatchError(`Cannot act for this owner: a token was minted, but ${how} (R-2)`, { ...fields, hint })
}
