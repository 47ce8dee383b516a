import type { Reply } from './http.ts'

/** The headers on every answer of Keycloak's token endpoint and of most others. */
export const KEYCLOAK_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'application/json',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
  'X-Robots-Tag': 'none',
}
const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

/** An OAuth error as Keycloak words it; thrown through the grants, turned into a reply at their edge. */
export class OauthRefusal extends Error {
  readonly status: number
  readonly error: string
  readonly description: string | undefined

  constructor(status: number, error: string, description?: string) {
    super(`${status} ${error}`)
    this.status = status
    this.error = error
    this.description = description
  }

  reply(): Reply {
    return tokenReply({ error: this.error, ...(this.description !== undefined && { error_description: this.description }) }, this.status)
  }
}

/** An answer of the token endpoint. */
export function tokenReply(body: unknown, status = 200): Reply {
  return { status, headers: { ...NO_STORE, ...KEYCLOAK_HEADERS }, body }
}

/** An error outside the token endpoint: no description, and caches are not forbidden to keep it. */
export function bareError(status: number, error: string): Reply {
  return { status, headers: KEYCLOAK_HEADERS, body: { error } }
}
