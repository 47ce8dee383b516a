import { createHash } from 'node:crypto'

/** Somebody who may sign in. */
export type IssuerUser = {
  readonly username: string
  readonly name: string
  readonly email: string
  /** Ids that become the claim `organization_id`; none: the claim is absent. */
  organizations: readonly string[]
  /** Becomes the claim `ascribe_role`. */
  role: 'admin' | 'viewer'
}

/** A program that sends people here to sign in. */
export type IssuerClient = {
  readonly id: string
  /** None: a public client. */
  readonly secret?: string
  /** Exact addresses, or with `/*` at the end; a loopback address or `localhost` fits with any port (RFC 8252 section 7.3). */
  readonly redirectUris: readonly string[]
  /** Told when a session of its ends elsewhere (OpenID Connect Back-Channel Logout). */
  readonly backchannelLogoutUri?: string
}

/** Who may sign in where nobody says otherwise: of the demo organization, of two, of another. A Keycloak in the peer tests has the same. */
export function sandboxUsers(): IssuerUser[] {
  const user = (username: string, last: string, role: IssuerUser['role']): IssuerUser => ({
    username,
    name: `${username.slice(0, 1).toUpperCase()}${username.slice(1)} ${last}`,
    email: `${username}@${last.toLowerCase()}.example`,
    organizations: [],
    role,
  })
  return [user('ada', 'Demo', 'admin'), user('vic', 'Demo', 'viewer'), user('max', 'Both', 'admin'), user('eve', 'Elsewhere', 'admin')]
}

/** Secret of the client `ascribe-console`. */
export const SANDBOX_CONSOLE_SECRET = 'console-secret'

export function sandboxClients(): readonly IssuerClient[] {
  return [{ id: 'ascribe-console', secret: SANDBOX_CONSOLE_SECRET, redirectUris: ['http://127.0.0.1/*', 'http://localhost/*'] }]
}

/** `sub` of a user: the same at every start, so that what was recorded of them stays theirs. */
export function subjectOf(username: string): string {
  const hex = createHash('sha256').update(`ascribe sandbox issuer ${username}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Whether a client may be answered at this address. */
export function isRegistered(client: IssuerClient, given: string): boolean {
  const url = URL.parse(given)
  if (url === null || url.hash !== '' || url.username !== '' || url.password !== '') return false
  return client.redirectUris.some((registered) => fits(registered, url))
}

function fits(registered: string, url: URL): boolean {
  const wildcard = registered.endsWith('/*')
  const allowed = new URL(wildcard ? registered.slice(0, -1) : registered)
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(allowed.hostname)
  if (allowed.protocol !== url.protocol || allowed.hostname !== url.hostname) return false
  if (allowed.port !== url.port && !(isLoopback && allowed.port === '')) return false
  return wildcard ? url.pathname.startsWith(allowed.pathname) : allowed.pathname === url.pathname && allowed.search === url.search
}
