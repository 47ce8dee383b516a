import type { IdentityHeaders } from './identity-headers.ts'
import { DEFAULT_HEADER_PREFIX, readIdentityHeaders } from './identity-headers.ts'
import { bearerToken, publicIdOf } from './api-key.ts'
import type { PeerTerms, PeerTrust } from './peer-trust.ts'
import type { PolicyKey } from './policy.ts'

/** What the gate looks at. */
export type GateInput = {
  readonly headers: readonly string[]
  /** The socket's address. */
  readonly peer: string
}

export type GateOptions = {
  readonly trust: PeerTrust
  /** The active key behind a token, or `undefined`. */
  readonly findKey: (token: string) => PolicyKey | undefined
  /** Default `X-Saturn-`. */
  readonly headerPrefix?: string
}

/** Who a request belongs to, or why it is refused. */
export type GateOutcome =
  /** Trusted headers decide alone; `resourceId` is there too, unless it comes from the model by the peer's terms. */
  | { readonly kind: 'headers'; readonly identity: IdentityHeaders & { readonly authId: string } }
  /** An API key decides; `identity` holds what a trusted edge said beside it. `stripped`: identity fields dropped unread. */
  | { readonly kind: 'key'; readonly key: PolicyKey; readonly identity: IdentityHeaders; readonly stripped: number }
  /** 400, plain text. */
  | { readonly kind: 'missing'; readonly missing: readonly string[]; readonly message: string }
  | { readonly kind: 'repeated'; readonly name: string; readonly message: string }
  /** 401 in OpenAI's shape. */
  | { readonly kind: 'unauthenticated'; readonly reason: 'no_key' | 'unknown_key'; readonly stripped: number }

const NOTHING: IdentityHeaders = { count: 0 }

/**
 * The identity gate: refuses what cannot be attributed.
 *
 * From a trusted peer with an auth id or a resource id, headers alone decide and a key is ignored; an auth id alone suffices where the
 * peer's terms take the resource from the model. From a trusted peer with neither, the key decides; without one both names are missing. From anyone else identity headers are dropped
 * before anything reads them, and the key decides.
 */
export function createGate(options: GateOptions): (input: GateInput) => GateOutcome {
  const { trust, findKey, headerPrefix = DEFAULT_HEADER_PREFIX } = options
  const authIdName = `${headerPrefix}Auth-Id`
  const resourceIdName = `${headerPrefix}Resource-Id`

  function byKey(input: GateInput, identity: IdentityHeaders, stripped: number): GateOutcome {
    const token = bearerToken(singleHeader(input.headers, 'authorization')) ?? keyBeside(input.headers)
    if (token === undefined) return { kind: 'unauthenticated', reason: 'no_key', stripped }
    const key = findKey(token)
    if (key === undefined) return { kind: 'unauthenticated', reason: 'unknown_key', stripped }
    return { kind: 'key', key, identity, stripped }
  }

  return (input) => {
    const read = readIdentityHeaders(input.headers, headerPrefix)
    const secret = trust.secretHeader === undefined ? undefined : singleHeader(input.headers, trust.secretHeader)
    const terms = trust.termsFor(input.peer, secret)
    if (terms === undefined) return byKey(input, NOTHING, read.count)
    if (read.repeated !== undefined) {
      return { kind: 'repeated', name: read.repeated, message: `repeated billing identity: ${read.repeated}` }
    }
    if (isWhole(read, terms)) return { kind: 'headers', identity: read }
    const { authId, resourceId } = read
    if (authId === undefined && resourceId === undefined && namesKey(input.headers)) return byKey(input, read, 0)
    const missing: string[] = []
    if (authId === undefined) missing.push(authIdName)
    if (resourceId === undefined && terms.resource === 'from-header') missing.push(resourceIdName)
    return { kind: 'missing', missing, message: `missing required billing identity: ${missing.join(', ')}` }
  }
}

function isWhole(read: IdentityHeaders, { resource }: PeerTerms): read is IdentityHeaders & { readonly authId: string } {
  return read.authId !== undefined && (read.resourceId !== undefined || resource === 'from-model')
}

/** Whether a request from a trusted peer is about a key: any `Authorization`, but an `X-Api-Key` only where it may be one of ours. */
function namesKey(headers: readonly string[]): boolean {
  return hasHeader(headers, 'authorization') || publicIdOf(apiKeyField(headers) ?? '') !== undefined
}

/** The key of whoever sent no `Authorization` at all: two of them, or one of another scheme, are not passed over for its sake. */
function keyBeside(headers: readonly string[]): string | undefined {
  return hasHeader(headers, 'authorization') ? undefined : apiKeyField(headers)
}

/** `X-Api-Key`, as clients of Anthropic's API send their key. */
function apiKeyField(headers: readonly string[]): string | undefined {
  const value = singleHeader(headers, 'x-api-key')?.trim()
  return value === '' ? undefined : value
}

/** The value of a header that came exactly once; `undefined` when it is absent or repeated. */
export function singleHeader(headers: readonly string[], lowerCaseName: string): string | undefined {
  let value: string | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (name.length !== lowerCaseName.length || name.toLowerCase() !== lowerCaseName) continue
    if (value !== undefined) return undefined
    value = headers[index + 1] ?? ''
  }
  return value
}

function hasHeader(headers: readonly string[], lowerCaseName: string): boolean {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName && (headers[index + 1] ?? '').trim() !== '')
      return true
  }
  return false
}
