/** A client of the realm. What is not said is as the recorded realm has it for an ordinary confidential client. */
export type RealmClient = {
  readonly id: string
  secret?: string
  enabled: boolean
  /** `public` clients have no secret; `bearer-only` ones only verify. */
  access: 'confidential' | 'public' | 'bearer-only'
  /** Whether it may ask for a token of its own: Keycloak's "service accounts roles". */
  serviceAccount: boolean
  /** Its service user: there, disabled, or deleted. */
  serviceUser: 'enabled' | 'disabled' | 'missing'
  /** Seconds that its access tokens live; undefined: the realm's. */
  lifetimeS?: number
  /** A client policy refuses whatever it asks. */
  refusedByPolicy: boolean
  /** Lightweight tokens: no `aud`, no roles, no user name. */
  lightweight: boolean
  /** "Use refresh tokens for client credentials grant": never do this. */
  refreshTokens: boolean
  /** May exchange tokens (RFC 8693): a switch of each client. */
  tokenExchange: boolean
  /** Clients that its tokens name as their audience, beside `account`. */
  audience: readonly string[]
  /** A secret that was rotated out and is still taken until `untilMs`. */
  rotatedSecret?: { readonly secret: string; readonly untilMs: number }
  /** The secret is refused from here on (epoch ms). */
  secretExpiresAtMs?: number
  /** As an audience of UMA: no authorization services, the resources of this realm, or a policy that crashes. */
  authorization: 'none' | 'resources' | 'crashing'
}

/** A client's settings as an operator may change them while it runs. */
export type ClientChange = Partial<Omit<RealmClient, 'id'>>

/** A resource of the resource server, and who is granted its scopes. */
export type RealmResource = {
  readonly rsid: string
  readonly name: string
  readonly uri: string
  readonly scopes: readonly string[]
  /** Ids of clients; empty: granted to nobody. */
  readonly grantedTo: string[]
}

/** The resource server that step 2 names as its audience. */
export const RESOURCE_SERVER = 'service_provider_api'
/** The scope that lets a client impersonate users. */
export const IMPERSONATE_SCOPE = 'user:impersonate'
/** Seconds that tokens live where the client does not say otherwise. */
export const REALM_LIFETIME_S = 300

export function makeRealmClient(id: string, settings: ClientChange = {}): RealmClient {
  return {
    id,
    enabled: true,
    access: 'confidential',
    serviceAccount: true,
    serviceUser: 'enabled',
    refusedByPolicy: false,
    lightweight: false,
    refreshTokens: false,
    tokenExchange: false,
    audience: [],
    authorization: 'none',
    ...settings,
  }
}

/** The clients of the realm whose answers were recorded from a real Keycloak. */
export function recordedClients(): RealmClient[] {
  return [
    makeRealmClient('kubernetes_cluster_service', { secret: 'kcs-secret', lifetimeS: 60 }),
    makeRealmClient('short_lived_service', { secret: 'sl-secret', lifetimeS: 2 }),
    makeRealmClient('dead_on_arrival_service', { secret: 'da-secret', lifetimeS: 0 }),
    makeRealmClient('untrusted_service', { secret: 'un-secret' }),
    makeRealmClient('disabled_service', { secret: 'di-secret', enabled: false }),
    makeRealmClient('no_account_service', { secret: 'na-secret', serviceAccount: false }),
    makeRealmClient('disabled_user_service', { secret: 'du-secret', serviceUser: 'disabled' }),
    makeRealmClient('public_service', { access: 'public', serviceAccount: false }),
    makeRealmClient('bearer_only_service', { secret: 'bo-secret', access: 'bearer-only', serviceAccount: false }),
    makeRealmClient('policy_refused_service', { secret: 'pr-secret', refusedByPolicy: true }),
    makeRealmClient('odd:service', { secret: 'a b+c%d:e&f=ü' }),
    makeRealmClient('exchange_service', { secret: 'ex-secret', tokenExchange: true }),
    makeRealmClient('exchange_subject_service', { secret: 'es-secret', audience: ['exchange_service'] }),
    makeRealmClient('plain_api', { secret: 'pl-secret' }),
    makeRealmClient('crashing_api', { secret: 'cr-secret', authorization: 'crashing' }),
    makeRealmClient(RESOURCE_SERVER, { secret: 'sp-secret', authorization: 'resources' }),
  ]
}

/** The two resources of the recorded realm; the second is granted to nobody. */
export function recordedResources(newUuid: () => string): RealmResource[] {
  return [
    {
      rsid: newUuid(),
      name: 'user-impersonation',
      uri: '/service_provider/api/v1/user/impersonate',
      scopes: [IMPERSONATE_SCOPE],
      grantedTo: ['kubernetes_cluster_service', 'short_lived_service'],
    },
    { rsid: newUuid(), name: 'tenant-management', uri: '/service_provider/api/v1/tenant', scopes: ['tenant:manage'], grantedTo: [] },
  ]
}
