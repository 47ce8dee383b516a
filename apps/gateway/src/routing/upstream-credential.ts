/** What opens an upstream, and in which field of a request's head it travels. */
export type UpstreamCredential = {
  /** The secret alone. Call it where the field is written, keep the result nowhere. */
  reveal(): string
  /** Absent: `authorization` and `bearer`. */
  readonly field?: CredentialField
}

type CredentialField = {
  /** Its name: lower case, hyphens and no underscores. */
  readonly header: string
  readonly scheme: CredentialScheme
}

/** How a credential stands in its field: behind `Bearer `, or as it is. */
export type CredentialScheme = 'bearer' | 'none'

/** Where credentials travel unless a route says otherwise. */
const DEFAULT_HEADER = 'authorization'

const NAME = /^[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?$/
/** What we, the transport or a client write, or what speaks of one connection: RFC 9110 section 7.6.1. */
const TAKEN = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'cookie',
  'x-request-id',
])
const TAKEN_PREFIXES = ['accept', 'content-', 'proxy-', 'x-http-method', 'x-original-url', 'x-rewrite-url', 'x-method-override']

/** Whether a credential may travel in the field of this lower-case name. */
export function mayCarryCredential(header: string): boolean {
  return NAME.test(header) && !TAKEN.has(header) && !TAKEN_PREFIXES.some((prefix) => header.startsWith(prefix))
}

/** A secret as it travels. `header` in lower case; the scheme is `bearer` in `authorization` and `none` in every other field, unless it is said. */
export function upstreamCredential(
  secret: { reveal(): string },
  { header = DEFAULT_HEADER, scheme }: { readonly header?: string | undefined; readonly scheme?: CredentialScheme | undefined },
): UpstreamCredential {
  return { reveal: () => secret.reveal(), field: { header, scheme: scheme ?? (header === DEFAULT_HEADER ? 'bearer' : 'none') } }
}

/** Name of the field that a credential travels in, in lower case. */
export function headerOfCredential({ field }: UpstreamCredential): string {
  return field === undefined ? DEFAULT_HEADER : field.header
}

/** The whole value of that field. */
export function valueOfCredential(credential: UpstreamCredential): string {
  return credential.field?.scheme === 'none' ? credential.reveal() : `Bearer ${credential.reveal()}`
}
