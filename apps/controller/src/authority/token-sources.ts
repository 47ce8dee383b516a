import { ClientSecretError, createRemoteTokenSource, createTokenSource } from '@ascribe/impersonation'
import type {
  AuditSink,
  ClientSecret,
  ClientSecretSource,
  Issuer,
  MinterChannel,
  OwnerRequest,
  RegionTable,
  SourceOptions,
  TokenClock,
  TokenLimits,
  TokenMeters,
  TokenSource,
  Transport,
} from '@ascribe/impersonation'
import type { KubeClient } from '@ascribe/kube'
import type { Logger } from '@ascribe/kit'
import { readCredentials } from './client-secrets.ts'
import type { ClientCredentials } from './client-secrets.ts'
import type { Impersonator } from './impersonator-facts.ts'
import { ENVIRONMENT } from './snapshot.ts'

/** Of the environment, in the place of an Impersonator. */
export type EnvironmentClient = {
  readonly issuer: Issuer
  readonly clientId: string
  readonly secret: ClientSecretSource
  readonly regions: RegionTable
}

/** The same for a process whose tokens another one mints: that one has the client. */
export type EnvironmentPlace = Pick<EnvironmentClient, 'regions'>

export type TokenSourcesOptions = {
  readonly kube: Pick<KubeClient, 'get'>
  readonly environment: EnvironmentClient | EnvironmentPlace | undefined
  /** Of the process that mints. Then no Secret is read here, and nothing is sent to an authorization server (H-24). */
  readonly minter?: MinterChannel | undefined
  readonly audit: AuditSink
  /** Asked before the cache at every token, whoever asks. */
  readonly authorize: (request: OwnerRequest) => void
  readonly transport: Transport
  readonly limits?: TokenLimits
  readonly meters?: TokenMeters
  readonly logger: Logger
  readonly clock: TokenClock
}

/** One source of tokens for each Impersonator as it is now: another generation of it, or another client, gets another one. */
export type TokenSources = Disposable & {
  /** @throws {ClientSecretError} and what an issuer or table that cannot be used throws */
  of(impersonator: Impersonator): Promise<TokenSource>
  /** @throws TypeError without an environment */
  ofEnvironment(): TokenSource
  /** Drops an owner's tokens everywhere, and what is being minted. */
  forget(userUUID: string): void
  /** Drops the tokens of an Impersonator that is gone. */
  retire(name: string): void
}

type Entry = { readonly uid: string; readonly generation: number; readonly source: Promise<TokenSource>; failedAt?: number }

/** A Secret that cannot be read is not asked for by each machine anew. */
const FAILURE_KEPT_MS = 5000

export function createTokenSources(options: TokenSourcesOptions): TokenSources {
  const { kube, environment, minter, clock } = options
  const entries = new Map<string, Entry>()
  let ofEnvironment: TokenSource | undefined

  const common = commonOf(options)
  const make = (facts: EnvironmentClient): TokenSource => createTokenSource({ ...common, ...facts, transport: options.transport })

  async function open(impersonator: Impersonator): Promise<TokenSource> {
    const { name, regions } = impersonator
    if (minter !== undefined) return createRemoteTokenSource({ ...common, channel: minter, impersonator: name, regions })
    const first = await readCredentials(kube, impersonator.clientSecretRef)
    const secret = secretOf(first, {
      read: () => readCredentials(kube, impersonator.clientSecretRef),
      onOtherClient: () => retire(impersonator.name),
    })
    return make({ issuer: impersonator.issuer(), clientId: first.clientId, secret, regions })
  }

  function openEnvironment(): TokenSource {
    if (environment === undefined) throw new TypeError('there is no environment to impersonate by')
    const { regions } = environment
    if (minter !== undefined) return createRemoteTokenSource({ ...common, channel: minter, impersonator: ENVIRONMENT, regions })
    if (!('secret' in environment)) throw new TypeError('there is neither a minter nor a client secret')
    return make(environment)
  }

  function retire(name: string): void {
    const entry = entries.get(name)
    if (entry === undefined) return
    entries.delete(name)
    void entry.source.then(
      (source) => source[Symbol.dispose](),
      () => {},
    )
  }

  function isCurrent(entry: Entry, { uid, generation }: Impersonator): boolean {
    const hasFailed = entry.failedAt !== undefined && clock.monotonicMs() - entry.failedAt >= FAILURE_KEPT_MS
    return entry.uid === uid && entry.generation === generation && !hasFailed
  }

  return {
    of(impersonator) {
      const known = entries.get(impersonator.name)
      if (known !== undefined && isCurrent(known, impersonator)) return known.source
      retire(impersonator.name)
      const source = open(impersonator)
      const entry: Entry = { uid: impersonator.uid, generation: impersonator.generation, source }
      source.catch(() => (entry.failedAt = clock.monotonicMs()))
      entries.set(impersonator.name, entry)
      return source
    },
    ofEnvironment() {
      ofEnvironment ??= openEnvironment()
      return ofEnvironment
    },
    forget(userUUID) {
      ofEnvironment?.forget(userUUID)
      for (const { source } of entries.values())
        void source.then(
          (each) => each.forget(userUUID),
          () => {},
        )
    },
    retire,
    [Symbol.dispose]() {
      ofEnvironment?.[Symbol.dispose]()
      for (const name of entries.keys()) retire(name)
    },
  }
}

function commonOf({ audit, authorize, clock, logger, limits, meters }: TokenSourcesOptions): Omit<SourceOptions, 'regions'> {
  return { audit, authorize, clock, logger, ...(limits !== undefined && { limits }), ...(meters !== undefined && { meters }) }
}

type Rotation = { readonly read: () => Promise<ClientCredentials>; readonly onOtherClient: () => void }

/** What the source reads again while it is in use, and after a 401: the Secret as it is then. */
function secretOf(first: ClientCredentials, { read, onOtherClient }: Rotation): ClientSecretSource {
  let fresh: ClientSecret | undefined = first.secret
  return async () => {
    if (fresh !== undefined) {
      const secret = fresh
      fresh = undefined
      return secret
    }
    const { clientId, secret } = await read()
    if (clientId === first.clientId) return secret
    onOtherClient()
    throw new ClientSecretError('Cannot use the client secret: it is of another client now; the next call takes that one')
  }
}
