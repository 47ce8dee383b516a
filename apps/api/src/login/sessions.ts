import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerSecret } from '@ascribe/identity'
import { IssuerError } from '@ascribe/identity/jwt'
import { seal, unseal } from '@ascribe/identity/oidc'
import type { OidcClient, RefreshableSignIn, SignedIn } from '@ascribe/identity/oidc'
import type { Clock, Logger } from '@ascribe/kit'
import {
  chooseOrganization,
  claimRefresh,
  createWebSession,
  endWebSession,
  endWebSessionsOf,
  findWebSession,
  postponeRefresh,
  storeRefreshed,
  touchWebSession,
} from '@ascribe/ledger/sessions'
import type { SessionTime, WebSession } from '@ascribe/ledger/sessions'
import type { Database } from '@ascribe/postgres'

export type SessionsOptions = {
  readonly db: Database
  readonly serverSecret: ServerSecret
  readonly oidc: Pick<OidcClient, 'refresh'>
  readonly issuer: string
  readonly logger: Logger
  readonly clock: Clock
  /** Who does nothing for this long is signed out. Default 1 h. */
  readonly idleMs?: number
  /** Who has signed in does so again after this long, however busy. Default 12 h. */
  readonly absoluteMs?: number
}

/** Somebody who is signed in, as of now. */
export type LiveSession = {
  readonly hash: Buffer
  readonly signedIn: SignedIn
  readonly organizationId?: string
  readonly endsAt: number
}

/** People who are signed in, in all processes of the API. */
export type Sessions = {
  /** Begins one, always under an id that nobody has seen. Gives the value of its cookie. */
  begin(signedIn: SignedIn, organizationId: string | undefined): Promise<string>
  /**
   * The session of a cookie's value, with tokens that its issuer still stands by. @throws {IssuerError} when they are too old and the issuer
   * cannot be asked
   */
  find(value: string): Promise<LiveSession | undefined>
  choose(session: LiveSession, organizationId: string): Promise<void>
  /** Ends the session of a cookie's value for all processes; gives what it was, if it was one. Asks no issuer. */
  end(value: string): Promise<SignedIn | undefined>
  /** What the issuer says is over. */
  endOf(of: { readonly subject?: string; readonly issuerSession?: string }): Promise<number>
}

const IDLE_MS = 3_600_000
const ABSOLUTE_MS = 12 * 3_600_000
const VALUE = /^[\w-]{43}$/
const PURPOSE = 'web session'
/** An instant of use is noted this often: a write for each request would cost more than the request. */
const TOUCH_MS = 60_000
/** Tokens are refreshed this long before they end, or at half of their life. */
const AHEAD_MS = 60_000
/** Whoever refreshes has so long before another process may. More than the client's own patience. */
const CLAIM_MS = 15_000
/** The issuer is left alone for so long after it could not be asked. */
const POSTPONE_MS = 10_000
/** What an issuer said holds so much longer while it cannot be asked; then nobody gets in by it. */
const GRACE_MS = 15 * 60_000
const WAIT_MS = 50
const WAITS_MAX = 100

export function createSessions(options: SessionsOptions): Sessions {
  const { db, issuer, clock, idleMs = IDLE_MS, absoluteMs = ABSOLUTE_MS } = options
  const time = (): SessionTime => ({ now: clock(), idleMs })
  /** One refresh of a session at a time in this process. Bounded by the requests under way. */
  const pending = new Map<string, Promise<SignedIn | undefined>>()

  function refreshed(hash: Buffer, found: Found): Promise<SignedIn | undefined> {
    const key = hash.toString('hex')
    const running = pending.get(key)
    if (running !== undefined) return running
    // Nothing may be awaited between the lookup above and the set below.
    const started = refresh(options, time, { hash, found }).finally(() => pending.delete(key))
    pending.set(key, started)
    return started
  }

  return {
    async begin(signedIn, organizationId) {
      const value = randomBytes(32).toString('base64url')
      const hash = hashOf(value)
      const { issuerSession, principal } = signedIn
      const now = clock()
      const session = {
        hash,
        issuer,
        subject: principal.subject,
        ...(issuerSession !== undefined && { issuerSession }),
        ...(organizationId !== undefined && { organizationId }),
        ...storedOf(options.serverSecret, { hash, signedIn, now }),
        endsAt: now + absoluteMs,
      }
      await createWebSession(db, session, time())
      return value
    },
    async find(value) {
      if (!VALUE.test(value)) return undefined
      const hash = hashOf(value)
      const found = await findIn(options, hash, time())
      if (found === undefined) return undefined
      const { session } = found
      if (clock() - session.seenAt >= TOUCH_MS) await touchWebSession(db, hash, clock())
      const isDue = session.refreshAt !== undefined && clock() >= session.refreshAt
      const signedIn = isDue ? await refreshed(hash, found) : found.signedIn
      if (signedIn === undefined) return undefined
      const { organizationId, endsAt } = session
      return { hash, signedIn, endsAt, ...(organizationId !== undefined && { organizationId }) }
    },
    choose: ({ hash }, organizationId) => chooseOrganization(db, hash, organizationId),
    async end(value) {
      if (!VALUE.test(value)) return undefined
      const hash = hashOf(value)
      const found = await findIn(options, hash, time())
      await endWebSession(db, hash)
      return found?.signedIn
    },
    endOf: (of) => endWebSessionsOf(db, { issuer, ...of }),
  }
}

type Found = { readonly session: WebSession; readonly signedIn: SignedIn }

async function findIn({ db, issuer, serverSecret }: SessionsOptions, hash: Buffer, time: SessionTime): Promise<Found | undefined> {
  const session = await findWebSession(db, hash, time)
  // Of an issuer that is not ours any more.
  if (session === undefined || session.issuer !== issuer) return undefined
  const text = unseal(serverSecret, { purpose: PURPOSE, place: hash.toString('hex') }, session.sealed)
  // What opens is what storedOf() has sealed.
  return text === undefined ? undefined : { session, signedIn: JSON.parse(text) as SignedIn }
}

type Stored = { readonly sealed: Buffer; readonly refreshAt?: number }

function storedOf(serverSecret: ServerSecret, { hash, signedIn, now }: { hash: Buffer; signedIn: SignedIn; now: number }): Stored {
  const { refreshToken, expiresAt } = signedIn
  const sealed = seal(serverSecret, { purpose: PURPOSE, place: hash.toString('hex') }, JSON.stringify(signedIn))
  if (refreshToken === undefined) return { sealed }
  return { sealed, refreshAt: expiresAt - Math.min(AHEAD_MS, Math.max(0, expiresAt - now) / 2) }
}

type Refreshing = { readonly hash: Buffer; readonly found: Found }

/** Fresh tokens for a session, got by one process for all; `undefined`: the session is over. */
async function refresh(options: SessionsOptions, time: () => SessionTime, { hash, found }: Refreshing): Promise<SignedIn | undefined> {
  const { db, clock } = options
  const { session, signedIn } = found
  const { refreshToken } = signedIn
  if (refreshToken === undefined) return signedIn
  const { version } = session
  if (await claimRefresh(db, { hash, version, now: clock(), untilMs: CLAIM_MS }))
    return refreshClaimed(options, { ...signedIn, refreshToken }, { hash, version })
  // Another process is at it. What we have is good for a while: nobody waits.
  if (clock() < signedIn.expiresAt) return signedIn
  for (let waits = 0; waits < WAITS_MAX; waits += 1) {
    const now = await findIn(options, hash, time())
    if (now === undefined || now.session.version !== version) return now?.signedIn
    if (clock() < signedIn.expiresAt + GRACE_MS && waits > WAITS_MAX / 10) return signedIn
    await delay(WAIT_MS)
  }
  throw new IssuerError('Cannot go on with a session: its tokens are too old, and nobody has refreshed them', { retryable: true })
}

type Claimed = { readonly hash: Buffer; readonly version: number }

async function refreshClaimed(
  options: SessionsOptions,
  before: RefreshableSignIn,
  { hash, version }: Claimed,
): Promise<SignedIn | undefined> {
  const { db, oidc, clock, logger, serverSecret } = options
  try {
    const outcome = await oidc.refresh(before)
    if (outcome.kind === 'ended') {
      logger.info('web session ended by its issuer', { subject: before.principal.subject, reason: outcome.reason })
      await endWebSession(db, hash)
      return undefined
    }
    const { signedIn } = outcome
    const { sealed, refreshAt } = storedOf(serverSecret, { hash, signedIn, now: clock() })
    return (await storeRefreshed(db, { hash, version, sealed, refreshAt })) ? signedIn : undefined
  } catch (error) {
    if (!(error instanceof IssuerError)) throw error
    await postponeRefresh(db, { hash, version, until: clock() + POSTPONE_MS })
    if (clock() >= before.expiresAt + GRACE_MS) throw error
    logger.warn('tokens of a web session cannot be refreshed now', { error })
    return before
  }
}

/** What the database knows of a cookie. */
function hashOf(value: string): Buffer {
  return createHash('sha256').update(value).digest()
}
