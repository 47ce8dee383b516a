import { randomBytes } from 'node:crypto'
import { silentLogger } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { systemTokenClock } from './clock.ts'
import type { TokenClock } from './clock.ts'
import { createDenials } from './denials.ts'
import type { Denials } from './denials.ts'
import { createHttpTransport } from './http-transport.ts'
import { createInstruments, startAtZero } from './instruments.ts'
import type { Instruments } from './instruments.ts'
import { createWireSteps } from './mint-steps.ts'
import { createMinter } from './minter.ts'
import type { Minter } from './minter.ts'
import { createOwners } from './owners.ts'
import type { Owners } from './owners.ts'
import { createPeerCalls } from './peer-calls.ts'
import type { PeerCalls } from './peer-calls.ts'
import { NO_SECRET, createRemoteMinter } from './remote-minter.ts'
import { DEFAULT_AUDIENCE } from './request-rpt.ts'
import { createSecretKeeper } from './secret-keeper.ts'
import type { SecretKeeper } from './secret-keeper.ts'
import { SealedText } from './sealed-text.ts'
import { createServicePairs } from './service-pair.ts'
import { TokenCache } from './token-cache.ts'
import type { RemoteSourceOptions, SourceOptions, TokenLimits, TokenSourceOptions } from './token-source-types.ts'
import { createTurnstile } from './turnstile.ts'
import { TransportError } from './wire.ts'
import type { Transport } from './wire.ts'

/** What a token source is made of. */
export type SourceParts = {
  readonly clock: TokenClock
  readonly random: () => number
  readonly logger: Logger
  readonly limits: Required<TokenLimits>
  /** Who mints, and as whom: a part of the cache's key. */
  readonly place: readonly string[]
  readonly instruments: Instruments
  readonly calls: PeerCalls
  readonly secrets: SecretKeeper
  readonly minter: Minter
  readonly owners: Owners
  readonly denials: Denials
  readonly cache: TokenCache
  /** Closes what was opened here. */
  readonly close: () => void
}

const LIMITS = {
  entriesMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  mintsMax: 4,
  waitingMax: 1_000,
  mintTimeoutMs: 25_000,
  waitingMs: 120_000,
  sweepMs: 10_000,
  subjectClaim: 'sub',
} as const

/** Steps of somebody else's making bring their own way to the network. */
const refuseToSend: Transport = () => Promise.reject(new TransportError('NO_TRANSPORT'))

type CommonParts = Omit<SourceParts, 'place' | 'secrets' | 'minter' | 'close'>

function commonParts(options: Omit<SourceOptions, 'audit'>): CommonParts {
  const { clock = systemTokenClock, random = Math.random, logger = silentLogger } = options
  const limits = { ...LIMITS, ownerHashKey: randomBytes(32), ...options.limits }
  const instruments = createInstruments(options.meters)
  startAtZero(instruments)
  return {
    clock,
    random,
    logger,
    limits,
    instruments,
    calls: createPeerCalls({ clock, random, instruments }),
    denials: createDenials({ clock, random, max: limits.entriesMax }),
    owners: createOwners({ clock, hashKey: limits.ownerHashKey, max: limits.entriesMax }),
    cache: new TokenCache({
      entriesMax: limits.entriesMax,
      bytesMax: limits.bytesMax,
      onEviction: (reason) => instruments.evictions.add(1, { reason }),
    }),
  }
}

/** Puts the parts together. `onRotated` runs when the client secret has become another one. */
export function createSourceParts(options: TokenSourceOptions, onRotated: () => void): SourceParts {
  const { audience = DEFAULT_AUDIENCE, issuer, clientId } = options
  const common = commonParts(options)
  const { clock, random, logger, limits, instruments, calls, denials } = common
  const own = options.transport === undefined && options.steps === undefined ? createHttpTransport() : undefined
  const transport = options.transport ?? own ?? refuseToSend
  const steps = options.steps ?? createWireSteps({ transport, clock, issuer, clientId, audience })
  const secrets = createSecretKeeper({
    source: options.secret,
    clock,
    onRotated: () => {
      pairs.clear()
      denials.clear()
      logger.info('client secret changed')
      onRotated()
    },
    onUnreadable: (error) => logger.warn('client secret cannot be read', { error }),
  })
  const pairs = createServicePairs({ steps, calls, secrets, host: issuer.host, clock, random })
  const minter = createMinter({
    steps,
    calls,
    pairs,
    turnstile: createTurnstile({ insideMax: limits.mintsMax, waitingMax: limits.waitingMax }),
    audit: options.audit,
    instruments,
    clock,
    mintTimeoutMs: limits.mintTimeoutMs,
    issuer: issuer.href,
    clientId,
    subjectClaim: limits.subjectClaim === 'none' ? undefined : limits.subjectClaim,
  })
  const close = (): void => {
    pairs.close()
    own?.[Symbol.dispose]()
  }
  return { ...common, place: [issuer.href, clientId, 'uma-impersonate', audience], secrets, minter, close }
}

/** How long a minter may take: its own 25 s for the steps, and a while for its turn there. */
const REMOTE_TIMEOUT_MS = 40_000
/** It limits what goes to the cloud by itself; this is for connections. */
const REMOTE_MAX = 16

/** The same for a source whose tokens another process mints. The channel is the caller's to close. */
export function createRemoteParts({ channel, impersonator, audit, ...options }: RemoteSourceOptions): SourceParts {
  const common = commonParts(options)
  const { calls, clock, limits } = common
  const secret = { value: new SealedText(''), version: NO_SECRET }
  const minter = createRemoteMinter({
    channel,
    impersonator,
    calls,
    turnstile: createTurnstile({ insideMax: REMOTE_MAX, waitingMax: limits.waitingMax }),
    audit,
    clock,
    mintTimeoutMs: REMOTE_TIMEOUT_MS,
  })
  return {
    ...common,
    place: [channel.place, impersonator, 'minter'],
    secrets: { current: secret, read: () => Promise.resolve(secret), readSoon: () => {} },
    minter,
    close: () => {},
  }
}
