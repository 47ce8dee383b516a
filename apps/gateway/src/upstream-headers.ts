import { endToEndHeaders } from '@ascribe/relay'
import { hasPrefixLoosely } from '@ascribe/identity'
import type { Route } from './routes.ts'
import { headerOfCredential, valueOfCredential } from './routing/upstream-credential.ts'

/** What of the client's head never travels on by itself: credentials, and what we or the transport write. */
const WITHHELD = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key'])
/** By these some servers take another path or method than those of the request line, which are what is metered. */
const OTHER_LINE = ['x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-http-method', 'x-method-override']
const REWRITTEN = new Set(['host', 'content-length', 'transfer-encoding', 'accept-encoding', 'x-request-id', 'expect', ...OTHER_LINE])

/** 1 for each length and first letter that one of those has: most names are told apart by them, without a lower-case copy. */
const MAY_BE_SPECIAL = new Uint8Array(1024)
for (const name of [...WITHHELD, ...REWRITTEN]) MAY_BE_SPECIAL[shapeOf(name)] = 1

function shapeOf(name: string): number {
  return ((name.length & 31) << 5) | (name.charCodeAt(0) & 31)
}

export type UpstreamHeadersOptions = {
  readonly route: Route
  /** Lower-case prefix of identity headers. */
  readonly identityPrefix: string
  /** Whether a trusted peer wrote the identity headers. From anyone else they go nowhere, whatever the route says. */
  readonly isIdentityTrusted: boolean
  /** Lower-case name of the edge's secret header, which goes nowhere, whatever the route says. */
  readonly secretHeader: string | undefined
  readonly eventId: string
  /** The client's own request id, if it sent a valid one. */
  readonly clientRequestId: string | undefined
}

/**
 * The fields that go up: the client's end-to-end fields without credentials and identity, unless the route lets them
 * pass; our event id as `X-Request-Id` (the client's own where the route says so); identity encoding, so that usage can
 * be read from the bytes; the route's own credential.
 */
export function upstreamHeaders(client: readonly string[], options: UpstreamHeadersOptions): string[] {
  const { route, identityPrefix, isIdentityTrusted, secretHeader, eventId, clientRequestId } = options
  const endToEnd = endToEndHeaders(client)
  const passesNone = !isIdentityTrusted || route.forwardHeaders.size === 0
  const { credential } = route
  const credentialHeader = credential === undefined ? undefined : headerOfCredential(credential)
  const credentialShape = credentialHeader === undefined ? -1 : shapeOf(credentialHeader)
  const headers: string[] = []
  for (let index = 0; index + 1 < endToEnd.length; index += 2) {
    const sent = endToEnd[index] ?? ''
    // Many a server behind us reads X_Saturn_Auth_Id as X-Saturn-Auth-Id.
    const isIdentity = hasPrefixLoosely(sent, identityPrefix)
    if (isIdentity && passesNone) continue
    const shape = shapeOf(sent)
    if (isIdentity || MAY_BE_SPECIAL[shape] === 1 || shape === credentialShape || sent.length === secretHeader?.length) {
      const exact = sent.toLowerCase()
      // Content_Length and X_Api_Key are taken for the others in the same way; a route that lets a name pass means the name as it is.
      const name = exact.replaceAll('_', '-')
      if (REWRITTEN.has(name) || exact === secretHeader || name === secretHeader) continue
      if ((isIdentity || WITHHELD.has(name)) && !route.forwardHeaders.has(exact)) continue
      // The route's own credential replaces the client's, it does not stand beside it.
      if (name === credentialHeader) continue
    }
    headers.push(sent, endToEnd[index + 1] ?? '')
  }
  headers.push('accept-encoding', 'identity', 'x-request-id', route.forwardRequestId ? (clientRequestId ?? eventId) : eventId)
  if (credential !== undefined) headers.push(headerOfCredential(credential), valueOfCredential(credential))
  return headers
}

/** The upstream's fields for the client, with our word on the request id in place of the upstream's. */
export function clientHeaders(upstream: readonly string[], requestId: string, options: { readonly dropContentLength: boolean }): string[] {
  const headers: string[] = []
  for (let index = 0; index + 1 < upstream.length; index += 2) {
    const sent = upstream[index] ?? ''
    const name = sent.length === 12 || sent.length === 14 ? sent.toLowerCase() : ''
    if (name === 'x-request-id' || (options.dropContentLength && name === 'content-length')) continue
    headers.push(sent, upstream[index + 1] ?? '')
  }
  headers.push('X-Request-Id', requestId)
  return headers
}
