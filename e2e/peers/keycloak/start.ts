import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installKeycloak } from './install.ts'
import type { InstalledKeycloak } from './install.ts'
import { databaseIn, launch } from './launch.ts'
import type { Launched } from './launch.ts'

/** `cloud`: clients of the impersonation chain. `customers`: users, and the clients by which they reach our API. */
export type Realm = 'cloud' | 'customers'

/** A real Keycloak on loopback, its realms as imported. Ends with us, however we end. */
export type Keycloak = AsyncDisposable & {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** `http://127.0.0.1:PORT/realms/NAME` */
  issuer(realm: Realm): string
  /** The admin REST API, below `/admin/realms/REALM`; `body` is sent as JSON. @throws when it answers 400 or above */
  adminFetch(realm: Realm, path: string, init?: AdminInit): Promise<Response>
  /** A new signing key, used at once; tokens of the old one stay valid. Gives the component of the new key. */
  rotateKey(realm: Realm): Promise<string>
  /** Drops every RS256 key but that one, and with them the tokens that they signed. */
  retireOldKeys(realm: Realm, kept: string): Promise<void>
  /** Sets attributes of a user of `customers`, as `organization_id`, which become claims. */
  setAttributes(username: string, attributes: Readonly<Record<string, readonly string[]>>): Promise<void>
  /** Sets attributes of a client of `customers`. */
  setClientAttributes(clientId: string, attributes: Readonly<Record<string, string>>): Promise<void>
  /** Ends all sessions of a user of `customers`, as an administrator would: clients with a back channel are told. */
  endSessions(username: string): Promise<void>
  /** An access token of a user, by password: what a program of that user would hold. */
  userToken(username: string, options?: UserTokenOptions): Promise<string>
  /** The last lines of its log. */
  log(): string
}

export type AdminInit = { readonly method?: string; readonly body?: unknown }
export type UserTokenOptions = {
  /** `ascribe-program` (default) puts our audience into tokens, `other-program` does not. */
  readonly clientId?: 'ascribe-program' | 'other-program'
}

export type KeycloakOptions = {
  /** Default: installs it where it is not there. */
  readonly installed?: InstalledKeycloak
  /** More options of `kc.sh start`, those that need no build, as `--http-pool-max-threads=2`. */
  readonly options?: readonly string[]
}

type Key = { readonly id: string; readonly providerId: string }

/** Secret of the client `ascribe-console` in the realm `customers`. */
export const CONSOLE_SECRET = 'console-secret'

/** Starts a Keycloak of its own: 7 to 10 s. Several may run at once. @throws {PeerUnavailable} */
export async function startKeycloak({ installed, options }: KeycloakOptions = {}): Promise<Keycloak> {
  const { home, template } = installed ?? (await installKeycloak())
  await using stack = new AsyncDisposableStack()
  const dir = stack.adopt(mkdtempSync(join(tmpdir(), 'ascribe-keycloak-')), (path) => rmSync(path, { recursive: true, force: true }))
  cpSync(template, dir, { recursive: true })
  const server = await launch({ home, database: databaseIn(dir), ...(options !== undefined && { options }) })
  stack.defer(() => server.stop())
  const owned = stack.move()
  return new RunningKeycloak(server, owned)
}

class RunningKeycloak implements Keycloak {
  readonly url: string
  readonly #server: Launched
  readonly #owned: AsyncDisposableStack

  constructor(server: Launched, owned: AsyncDisposableStack) {
    this.url = server.url
    this.#server = server
    this.#owned = owned
  }

  log(): string {
    return this.#server.log()
  }

  issuer(realm: Realm): string {
    return `${this.url}/realms/${realm}`
  }

  async adminFetch(realm: Realm, path: string, { method = 'GET', body }: AdminInit = {}): Promise<Response> {
    // Its tokens live for a minute: a new one each time is simpler than knowing when.
    const token = await this.#token('master', { client_id: 'admin-cli', username: 'admin', password: 'admin' })
    const reply = await fetch(`${this.url}/admin/realms/${realm}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (reply.status >= 400) throw new Error(`Keycloak answered ${reply.status} to ${method} ${path}: ${await reply.text()}`)
    return reply
  }

  async rotateKey(realm: Realm): Promise<string> {
    const { id: parentId } = (await (await this.adminFetch(realm, '')).json()) as { readonly id: string }
    const config = { priority: [String(await this.#nextPriority(realm))] }
    const reply = await this.adminFetch(realm, '/components', {
      method: 'POST',
      body: { name: 'rotated', providerId: 'rsa-generated', providerType: 'org.keycloak.keys.KeyProvider', parentId, config },
    })
    return reply.headers.get('location')?.split('/').at(-1) ?? ''
  }

  async retireOldKeys(realm: Realm, kept: string): Promise<void> {
    for (const key of await this.#signingKeys(realm)) {
      if (key.id !== kept) await this.adminFetch(realm, `/components/${key.id}`, { method: 'DELETE' })
    }
  }

  async setAttributes(username: string, attributes: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const user = await this.#find(`/users?exact=true&username=${username}`)
    const body = { ...user, attributes: { ...user.attributes, ...attributes } }
    await this.adminFetch('customers', `/users/${user.id}`, { method: 'PUT', body })
  }

  async setClientAttributes(clientId: string, attributes: Readonly<Record<string, string>>): Promise<void> {
    const client = await this.#find(`/clients?clientId=${clientId}`)
    const body = { ...client, attributes: { ...client.attributes, ...attributes } }
    await this.adminFetch('customers', `/clients/${client.id}`, { method: 'PUT', body })
  }

  async endSessions(username: string): Promise<void> {
    const { id } = await this.#find(`/users?exact=true&username=${username}`)
    await this.adminFetch('customers', `/users/${id}/logout`, { method: 'POST' })
  }

  userToken(username: string, { clientId = 'ascribe-program' }: UserTokenOptions = {}): Promise<string> {
    return this.#token('customers', { client_id: clientId, username, password: `${username}-password`, scope: 'openid' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync()
  }

  async #token(realm: string, form: Readonly<Record<string, string>>): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'password', ...form })
    const reply = await fetch(`${this.url}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body })
    const answer = (await reply.json()) as { readonly access_token?: string }
    if (answer.access_token === undefined) throw new Error(`Keycloak gave no token: ${reply.status} ${JSON.stringify(answer)}`)
    return answer.access_token
  }

  /** The one that a query of `customers` finds. */
  async #find(query: string): Promise<Named> {
    const [found] = (await (await this.adminFetch('customers', query)).json()) as readonly Named[]
    if (found === undefined) throw new Error(`Keycloak has nothing at ${query}`)
    return found
  }

  async #signingKeys(realm: Realm): Promise<readonly Key[]> {
    const keys = (await (await this.adminFetch(realm, '/components?type=org.keycloak.keys.KeyProvider')).json()) as readonly Key[]
    return keys.filter(({ providerId }) => providerId === 'rsa-generated')
  }

  /** Of several keys that of the highest priority signs; those of a new realm have 100. */
  async #nextPriority(realm: Realm): Promise<number> {
    return 100 + (await this.#signingKeys(realm)).length * 100
  }
}

type Named = { readonly id: string; readonly attributes?: Readonly<Record<string, unknown>> }
