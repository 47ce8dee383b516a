import { CloudSigmaRequestError } from './errors.ts'
import { Hidden } from './hidden.ts'

/** What one request is sent with. */
export type Authorization = {
  /** The whole value of the `Authorization` header. */
  readonly header: string
  /** What the header was made of; handed back to {@link Authenticator.rejected} as it is. */
  readonly token: unknown
}

/** Says who a request acts as. The client asks before every request, so that a token is never older than its request. */
export type Authenticator = {
  /**
   * The header for one request to `origin`. Must reject when what it would give was issued by another origin (R-1).
   * What it rejects with passes through the client as it is.
   */
  authorize(origin: string, signal: AbortSignal): Promise<Authorization>
  /** The API answered 401 to this token: drop this one and no other (R-8). */
  rejected(token: unknown): void
  /**
   * Asked once a connection stands, right before the first byte of the request: to make one takes time. What it throws passes through the
   * client, and nothing was sent.
   */
  lastLook?(): void
}

export type BasicCredentials = { readonly username: string; readonly password: string | Hidden }

/**
 * HTTP Basic, for the legacy mode: everything is done, and billed, as this one account.
 * @throws {CloudSigmaRequestError} for a name with a colon, which Basic cannot carry (RFC 7617, section 2)
 */
export function createBasicAuthenticator({ username, password }: BasicCredentials): Authenticator {
  if (username === '' || username.includes(':')) throw new CloudSigmaRequestError('Cannot use the user name: it is empty or holds a colon')
  const hidden = typeof password === 'string' ? new Hidden(password) : password
  return {
    authorize: async () => ({
      header: `Basic ${Buffer.from(`${username}:${hidden.reveal()}`, 'utf8').toString('base64')}`,
      token: hidden,
    }),
    // There is no other password to ask for.
    rejected: () => {},
  }
}
