import type { ClientChange, RealmClient, RealmResource } from './realm.ts'
import { REALM_LIFETIME_S, makeRealmClient, recordedClients, recordedResources } from './realm.ts'
import { type Claims, SigningKeys } from './signing-keys.ts'

/** Which of the two tokens of the realm is meant. */
export type RealmStep = 'service-token' | 'rpt'

export type OauthRealmOptions = {
  readonly name: string
  /** Epoch milliseconds, by the OAuth server's clock. */
  readonly now: () => number
  readonly newUuid: () => string
  /** Overrides a client's own lifetime, seconds. */
  readonly lifetimeS?: (step: RealmStep) => number | undefined
}

/** A bearer that the realm accepted, and whose it is. */
export type AcceptedBearer = { readonly claims: Claims; readonly client: RealmClient }

/** Everything that the OAuth server knows: clients, keys, what was revoked. */
export class OauthRealm {
  readonly name: string
  readonly clients: Map<string, RealmClient>
  readonly resources: readonly RealmResource[]
  readonly keys: SigningKeys
  readonly now: () => number
  readonly newUuid: () => string
  /** Epoch seconds; tokens issued earlier are refused. */
  notBefore = 0
  readonly #lifetimeS: (step: RealmStep) => number | undefined
  readonly #subjects = new Map<string, string>()
  /** `jti` of revoked tokens and when they would have ended, seconds. */
  readonly #revoked = new Map<string, number>()

  private constructor(options: OauthRealmOptions, keys: SigningKeys) {
    this.name = options.name
    this.now = options.now
    this.newUuid = options.newUuid
    this.#lifetimeS = options.lifetimeS ?? (() => undefined)
    this.keys = keys
    this.clients = new Map(recordedClients().map((client) => [client.id, client]))
    this.resources = recordedResources(options.newUuid)
    for (const id of this.clients.keys()) this.#subjects.set(id, options.newUuid())
  }

  static async create(options: OauthRealmOptions): Promise<OauthRealm> {
    return new OauthRealm(options, await SigningKeys.create(options.now()))
  }

  /** Changes a client, or makes it. */
  changeClient(id: string, change: ClientChange): RealmClient {
    const client = this.clients.get(id) ?? makeRealmClient(id)
    Object.assign(client, change)
    this.clients.set(id, client)
    return client
  }

  /** The id of a client's service user. */
  subjectOf(client: RealmClient): string {
    const known = this.#subjects.get(client.id)
    if (known !== undefined) return known
    const made = this.newUuid()
    this.#subjects.set(client.id, made)
    return made
  }

  issuerAt(host: string): string {
    return `http://${host}/realms/${this.name}`
  }

  /** Seconds that a token of this step lives. */
  lifetimeS(step: RealmStep, client: RealmClient): number {
    return this.#lifetimeS(step) ?? client.lifetimeS ?? REALM_LIFETIME_S
  }

  /** Refuses the token from now on (RFC 7009). Its end bounds how long that is remembered. */
  revoke(token: string): void {
    const claims = this.keys.verify(token)
    const now = Math.floor(this.now() / 1000)
    for (const [jti, exp] of this.#revoked) if (exp <= now) this.#revoked.delete(jti)
    if (typeof claims?.['jti'] === 'string') this.#revoked.set(claims['jti'], Number(claims['exp']))
  }

  /** Checks an access token of this realm, given under the host it was sent to. */
  accept(token: string, host: string): AcceptedBearer | undefined {
    const claims = this.keys.verify(token)
    if (claims === undefined || claims['iss'] !== this.issuerAt(host)) return undefined
    const now = this.now() / 1000
    const client = this.clients.get(String(claims['azp']))
    const isAlive = Number(claims['exp']) > now && Number(claims['iat']) >= this.notBefore && !this.#revoked.has(String(claims['jti']))
    if (!isAlive || client === undefined || !client.enabled || client.serviceUser !== 'enabled') return undefined
    return { claims, client }
  }
}
