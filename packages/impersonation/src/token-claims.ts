/** What a token says of itself. Not verified: read to compare and to count time, never to trust. */
export type TokenClaims = {
  readonly iss?: string
  readonly sub?: string
  readonly azp?: string
  readonly jti?: string
  readonly aud?: readonly string[]
  readonly scope?: string
  /** Seconds since 1970. */
  readonly iat?: number
  readonly exp?: number
  /** Names of the permissions that an RPT carries. */
  readonly permissions?: readonly string[]
  /** Who acts, where the provider says so (RFC 8693 section 4.1). */
  readonly actor?: string
}

/** Strings longer than this are not read: nothing of a token may grow what we keep. */
const CLAIM_LENGTH_MAX = 512
const LIST_MAX = 32

/** The claims of a JWT; `undefined` for anything else, such as an opaque token. */
export function decodeClaims(token: string): TokenClaims | undefined {
  const [header, payload, signature, ...more] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined
  const claims = recordOf(parseJson(Buffer.from(payload, 'base64url').toString()))
  if (claims === undefined || recordOf(parseJson(Buffer.from(header, 'base64url').toString())) === undefined) return undefined
  const aud = typeof claims['aud'] === 'string' ? [claims['aud']] : claims['aud']
  const permissions = recordOf(claims['authorization'])?.['permissions']
  return withoutUndefined({
    iss: textOf(claims['iss']),
    sub: textOf(claims['sub']),
    azp: textOf(claims['azp']),
    jti: textOf(claims['jti']),
    scope: textOf(claims['scope']),
    aud: textsOf(aud),
    iat: secondsOf(claims['iat']),
    exp: secondsOf(claims['exp']),
    permissions: Array.isArray(permissions) ? textsOf(permissions.map((each) => recordOf(each)?.['rsname'])) : undefined,
    actor: textOf(recordOf(claims['act'])?.['sub']),
  })
}

/** Parses JSON; `undefined` when it is none. The error, which quotes the text, is dropped. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A JSON object as a record; `undefined` for anything else. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // Every property of it is checked before it is used.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= CLAIM_LENGTH_MAX ? value : undefined
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.slice(0, LIST_MAX).flatMap((each) => textOf(each) ?? [])
}

function secondsOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>
}
