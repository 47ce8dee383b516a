import type { Authenticator, CloudSigma, Exchange } from '@ascribe/cloudsigma'
import type {
  AuditSink,
  MinterChannel,
  RegionEndpoint,
  RegionTable,
  TokenLimits,
  TokenMeters,
  TokenSource,
  Transport,
} from '@ascribe/impersonation'
import type { AccountLimits } from '@ascribe/kinds'
import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks, Informers, KubeClient } from '@ascribe/kube'
import { createBasicAccount } from './basic-account.ts'
import type { BasicAccount, BasicCredentials } from './basic-account.ts'
import { createBindingNotes, formatMintKey, noting } from './binding-notes.ts'
import type { BindingNotes } from './binding-notes.ts'
import { createCloudClients } from './cloud-clients.ts'
import { AuthorityError } from './errors.ts'
import { explain, sayError } from './explain.ts'
import { requireBinding } from './require-binding.ts'
import { createLedger } from './limits.ts'
import type { Bound, Ledger } from './limits.ts'
import type { AccountPin } from './pin.ts'
import { selectAccount } from './select-account.ts'
import type { Selected } from './select-account.ts'
import { ENVIRONMENT, createSnapshot } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'
import { errorOf, standingOf } from './standing.ts'
import type { Refused } from './standing.ts'
import { tokenClockOf } from './token-clock.ts'
import { createTokenSources } from './token-sources.ts'
import type { EnvironmentClient, EnvironmentPlace, TokenSources } from './token-sources.ts'
import type { Account, Authority, CloudRequest, SelectRequest, Selection } from './types.ts'
import { createUserRefs } from './user-refs.ts'
import type { UserRefs } from './user-refs.ts'
import { watchAuthority } from './watch-authority.ts'
import { wordsOf } from './words.ts'

export type AuthorityOptions = {
  readonly kube: Pick<KubeClient, 'get' | 'tryGet'>
  readonly informers: Informers
  /** Stores a record of every token before it is handed out. */
  readonly audit: AuditSink
  /** Ways to the authorization server and to the cloud, shared by all; the caller's to close. */
  readonly transport: Transport
  readonly exchange: Exchange
  /** In the place of Impersonators, where there is none. */
  readonly environment?: EnvironmentClient | EnvironmentPlace | undefined
  /** Of the process that mints; without one this process does, and reads the client Secret (H-24). */
  readonly minter?: MinterChannel | undefined
  /** The account that everything is done in without impersonation. `isChosen`: by the operator, for new machines too. */
  readonly legacy?: { readonly credentials: BasicCredentials; readonly regions: RegionTable; readonly isChosen: boolean } | undefined
  /** Of each namespace in the account of the legacy mode, and in the platform's where the Impersonator says none (H-13). */
  readonly accountLimits?: AccountLimits | undefined
  /** The platform's own account, for the fallback that an administrator may choose. */
  readonly platform?: BasicCredentials | undefined
  readonly refuseIssuer?: ((url: string) => string | undefined) | undefined
  /** Asked last of all before each request of the cloud: throws when this process does not lead any more. */
  readonly guard?: () => void
  readonly secretNamespace?: string
  readonly limits?: TokenLimits
  readonly clocks: Clocks
  readonly logger: Logger
  readonly meters: Meters & TokenMeters
}

export type OpenAuthority = Authority &
  Disposable & {
    readonly notes: BindingNotes
    readonly ledger: Ledger
    readonly snapshot: Snapshot
  }

/** When a cache, a Secret or the platform's profile cannot be read now. */
const LOOK_AGAIN_MS = 5000
/** For a token: the steps have deadlines of their own, and this is more than all of them. */
const VERIFY_MS = 30_000

/** Says who may be impersonated, and gives clients that act as those and as nobody else. */
export function createAuthority(options: AuthorityOptions): OpenAuthority {
  return new CachedAuthority(options)
}

class CachedAuthority implements OpenAuthority {
  readonly notes: BindingNotes = createBindingNotes()
  readonly ledger: Ledger
  readonly snapshot: Snapshot
  readonly #sources: TokenSources
  readonly #userRefs: UserRefs
  readonly #clients: ReturnType<typeof createCloudClients>
  readonly #platform: BasicAccount | undefined
  readonly #legacy: BasicAccount | undefined
  readonly #watch: ReturnType<typeof watchAuthority>
  readonly #guard: () => void
  readonly #accountLimits: AccountLimits
  /** Which source a token came from, to hand back what the API refused. */
  readonly #origins = new WeakMap<object, ReturnType<TokenSource['authenticator']>>()

  constructor(options: AuthorityOptions) {
    const { kube, informers, clocks, exchange, logger, meters, legacy, platform, environment, transport } = options
    this.snapshot = createSnapshot({
      ...options,
      wall: clocks.wall,
      environment,
      legacy: legacy === undefined ? undefined : { regions: legacy.regions, isChosen: legacy.isChosen },
      hasPlatform: platform !== undefined,
    })
    this.ledger = createLedger(informers)
    this.#sources = createTokenSources({
      kube,
      environment,
      minter: options.minter,
      audit: noting(options.audit, this.notes),
      authorize: (request) => void requireBinding(this.snapshot, request),
      transport,
      meters,
      logger,
      clock: tokenClockOf(clocks),
      ...(options.limits !== undefined && { limits: options.limits }),
    })
    this.#guard = options.guard ?? (() => {})
    this.#accountLimits = options.accountLimits ?? {}
    this.#userRefs = createUserRefs(kube, clocks.monotonic)
    this.#clients = createCloudClients({ exchange, clocks, logger, meters })
    const basic = { exchange, monotonic: clocks.monotonic }
    this.#platform = platform === undefined ? undefined : createBasicAccount(platform, basic)
    this.#legacy = legacy === undefined ? undefined : createBasicAccount(legacy.credentials, basic)
    this.#watch = watchAuthority(this.snapshot, { sources: this.#sources, notes: this.notes, clocks })
  }

  async select(request: SelectRequest): Promise<Selection> {
    const secrets = await this.#secretWords(request)
    if (!(secrets instanceof Map)) return selectionOf(secrets)
    const selected = selectAccount(this.snapshot.facts(), request, secrets)
    if (!selected.ok) return selectionOf(selected)
    if (selected.kind === 'Owner') return { outcome: 'selected', pin: selected.pin, account: selected.account }
    return this.#selectBasic(selected)
  }

  /** Only the words that count are read: those of the template, else those of the cluster. */
  async #secretWords({ namespace, machine, cluster }: SelectRequest): Promise<Map<string, string> | Refused> {
    const found = new Map<string, string>()
    for (const object of [machine, cluster]) {
      const words = wordsOf(object, namespace)
      for (const name of words.ok ? words.secrets : []) {
        const answer = await this.#userRefs({ namespace, name })
        if (!answer.ok) return { ok: false, reason: 'WaitingForUserRef', message: answer.message, retryAfterMs: LOOK_AGAIN_MS }
        found.set(name, answer.email)
      }
      if (found.size > 0) return found
    }
    return found
  }

  /** Pinned by its UUID as well, which only the account itself can say. */
  async #selectBasic(selected: Extract<Selected, { ok: true; kind: 'PlatformAccount' | 'Legacy' }>): Promise<Selection> {
    const { kind, region } = selected
    const impersonator = selected.kind === 'PlatformAccount' ? selected.impersonator : undefined
    const endpoint = this.#endpointOf({ kind, region, impersonator })
    try {
      const userUUID = await this.#basicOf(kind).uuidAt(endpoint)
      const pin: AccountPin = { kind, userUUID, region, ...(impersonator !== undefined && { impersonator }) }
      const standing = standingOf(this.snapshot.facts(), pin, { namespace: '', purpose: 'operate' })
      return standing.ok ? { outcome: 'selected', pin, account: standing.account } : selectionOf(standing)
    } catch (error) {
      return { outcome: 'waiting', reason: 'WaitingForAccount', message: sayError(error), retryAfterMs: LOOK_AGAIN_MS }
    }
  }

  authorize(pin: AccountPin, where: Parameters<Authority['authorize']>[1]): Account {
    const standing = standingOf(this.snapshot.facts(), pin, where)
    if (standing.ok) return standing.account
    throw errorOf(standing)
  }

  async cloudFor(request: CloudRequest): Promise<CloudSigma> {
    const { pin } = request
    const account = this.authorize(pin, request)
    const endpoint = this.#endpointOf(account)
    return this.#clients({
      endpoint,
      userUUID: pin.userUUID,
      authenticator: this.#authenticatorOf(request, endpoint),
      observe: request.observe,
    })
  }

  #authenticatorOf(request: CloudRequest, endpoint: RegionEndpoint): Authenticator {
    return request.pin.kind === 'Owner' ? this.#impersonating(request) : this.#basicFor(request, endpoint)
  }

  /** Authorized again before each request, before any cache; and once more when a token was waited for. */
  #impersonating(request: CloudRequest): Authenticator {
    const { pin } = request
    return {
      authorize: async (origin, signal) => {
        const account = this.authorize(pin, request)
        const { uid = '', generation = 0 } = account.binding ?? {}
        try {
          const source = await this.#sourceOf(account)
          const authenticator = source.authenticator({
            ownerUuid: account.userUUID,
            ownerEmail: account.email,
            region: account.region,
            bindingGeneration: formatMintKey({ uid, generation, purpose: request.purpose }),
            actor: request.actor,
          })
          const authorization = await authenticator.authorize(origin, signal)
          if (authorization.token.subject !== pin.userUUID)
            throw new AuthorityError(`Cannot act as ${pin.userUUID}: the token is of ${authorization.token.subject}`, {
              reason: 'OwnerMismatch',
            })
          this.authorize(pin, request)
          this.#guard()
          this.#origins.set(authorization.token, authenticator)
          return authorization
        } catch (error) {
          const explained = explain(error)
          if (explained !== undefined) this.notes.failed(uid, explained.message)
          throw error
        }
      },
      lastLook: () => {
        this.authorize(pin, request)
        this.#guard()
      },
      rejected: (token) => {
        if (typeof token !== 'object' || token === null) return
        const authenticator = this.#origins.get(token)
        authenticator?.rejected(token as Parameters<typeof authenticator.rejected>[0])
      },
    }
  }

  #basicFor(request: CloudRequest, endpoint: RegionEndpoint): Authenticator {
    const inner = this.#basicOf(request.pin.kind).authenticator(endpoint, request.pin.userUUID)
    return {
      authorize: async (origin, signal) => {
        this.authorize(request.pin, request)
        const authorization = await inner.authorize(origin, signal)
        this.#guard()
        return authorization
      },
      lastLook: () => {
        this.authorize(request.pin, request)
        this.#guard()
      },
      rejected: (token) => inner.rejected(token),
    }
  }

  #sourceOf({ impersonator }: Account): Promise<TokenSource> {
    const found = impersonator === undefined ? undefined : this.snapshot.impersonator(impersonator)
    if (found !== undefined) return this.#sources.of(found)
    if (impersonator === ENVIRONMENT) return Promise.resolve(this.#sources.ofEnvironment())
    throw new AuthorityError(`Cannot act for this owner: CloudSigmaImpersonator ${impersonator} is gone`, {
      reason: 'ImpersonationForbidden',
    })
  }

  #basicOf(kind: AccountPin['kind']): BasicAccount {
    const account = kind === 'Legacy' ? this.#legacy : this.#platform
    if (account === undefined)
      throw new AuthorityError(`Cannot use the account of kind ${kind}: there are no credentials of it`, {
        reason: 'ServiceAccountRejected',
      })
    return account
  }

  /** The one host of this account and region; {@link standingOf} has let it pass. */
  #endpointOf({
    kind,
    region,
    impersonator,
  }: {
    readonly kind: AccountPin['kind']
    readonly region: string
    readonly impersonator?: string | undefined
  }): RegionEndpoint {
    const facts = this.snapshot.facts()
    const place =
      kind === 'Legacy'
        ? facts.legacyPlace?.(region)
        : impersonator === undefined
          ? (facts.impersonators.map((each) => each.place(region)).find(({ ok }) => ok) ?? facts.legacyPlace?.(region))
          : facts.impersonator(impersonator)?.place(region)
    if (place === undefined || !place.ok)
      throw new AuthorityError(`Cannot reach region ${region}: ${place?.why ?? 'it is in no table'}`, { reason: 'RegionNotAllowed' })
    return place.endpoint
  }

  admit(...[pin, demand]: Parameters<Authority['admit']>): ReturnType<Authority['admit']> {
    return this.ledger.admit(pin, demand, this.#limitsOf(pin, demand.namespace))
  }

  limits(...[pin, namespace]: Parameters<Authority['limits']>): ReturnType<Authority['limits']> {
    return this.ledger.report(pin, namespace, this.#limitsOf(pin, namespace).limits)
  }

  /** Of the binding that authorizes now (none does: nothing is let in anyway); of an account that is everybody's, what its operator set. */
  #limitsOf(pin: AccountPin, namespace: string): Bound {
    const facts = this.snapshot.facts()
    if (pin.kind !== 'Owner') {
      const own = pin.impersonator === undefined ? undefined : facts.impersonator(pin.impersonator)?.fallbackLimits
      if (pin.kind === 'PlatformAccount' && own !== undefined)
        return { limits: own, by: `CloudSigmaImpersonator ${pin.impersonator}`, field: 'spec.fallback.limits' }
      return { limits: this.#accountLimits, by: 'the controller', field: 'cloud.limits' }
    }
    const standing = standingOf(facts, pin, { namespace, purpose: 'operate' })
    const name = standing.ok ? standing.account.binding?.name : pin.binding
    const limits = facts.bindings(namespace).find(({ metadata }) => metadata.name === name)?.spec.limits ?? {}
    return { limits, by: "its owner's binding", field: 'spec.limits' }
  }

  explain(thrown: unknown): ReturnType<Authority['explain']> {
    return explain(thrown)
  }

  /** A token is enough: its profile was asserted when it was minted; that of credentials is asserted here. */
  async verify(request: CloudRequest): Promise<void> {
    const account = this.authorize(request.pin, request)
    const endpoint = this.#endpointOf(account)
    await this.#authenticatorOf(request, endpoint).authorize(endpoint.origin, AbortSignal.timeout(VERIFY_MS))
  }

  onChange(handler: (namespace: string | undefined) => void): () => void {
    return this.#watch.onChange(handler)
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
    this.#sources[Symbol.dispose]()
  }
}

function selectionOf({ reason, message, retryAfterMs }: Refused): Selection {
  return retryAfterMs === undefined ? { outcome: 'refused', reason, message } : { outcome: 'waiting', reason, message, retryAfterMs }
}
