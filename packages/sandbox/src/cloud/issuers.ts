import { type KeyObject, createPublicKey } from 'node:crypto'
import { callHttp } from '@ascribe/service'
import { IMPERSONATE_SCOPE, RESOURCE_SERVER } from '../oauth/realm.ts'
import { type Claims, verifyJwt } from '../oauth/signing-keys.ts'
import { ApiRefusal } from './api-reply.ts'
import type { World } from './world.ts'

const REFETCH_MS = 1000
const TIMEOUT_MS = 5000

type Cached = { readonly keys: ReadonlyMap<string, KeyObject>; readonly fetchedAt: number }

/**
 * Checks tokens of steps 1 and 2 as the provider's API does: signed by our own realm, or by an issuer that was named as
 * trusted (a real Keycloak, by its JWKS), and alive by the API's clock.
 */
export class TokenCheck {
  readonly #world: World
  readonly #trusted: ReadonlySet<string>
  readonly #cached = new Map<string, Cached>()

  constructor(world: World, trustedIssuers: readonly string[]) {
    this.#world = world
    this.#trusted = new Set(trustedIssuers)
  }

  /** The claims of a token that is good now. */
  async check(token: string): Promise<Claims | undefined> {
    const claims = this.#world.realm.keys.verify(token) ?? (await this.#foreign(token))
    const now = this.#world.clock.now() / 1000
    return claims !== undefined && Number(claims['exp']) > now ? claims : undefined
  }

  async #foreign(token: string): Promise<Claims | undefined> {
    const issuer = issuerOf(token)
    if (issuer === undefined || !this.#trusted.has(issuer)) return undefined
    const known = verifyJwt(token, (kid) => this.#cached.get(issuer)?.keys.get(kid))
    if (known !== undefined) return known
    const { fetchedAt } = this.#cached.get(issuer) ?? {}
    // A new key id is looked up once a second at most, so that garbage does not become traffic for the issuer.
    if (fetchedAt !== undefined && Date.now() - fetchedAt < REFETCH_MS) return undefined
    const keys = await readJwks(issuer).catch(() => {
      throw new ApiRefusal(500, 'backend', 'The keys of the token’s issuer cannot be had')
    })
    this.#cached.set(issuer, { keys, fetchedAt: Date.now() })
    return verifyJwt(token, (kid) => keys.get(kid))
  }
}

/** Whether an RPT lets its holder impersonate users. */
export function grantsImpersonation(claims: Claims): boolean {
  const audience = [claims['aud']].flat()
  const { permissions } = (claims['authorization'] ?? {}) as { permissions?: readonly { rsname?: unknown; scopes?: unknown }[] }
  const isGranted = permissions?.some(
    ({ rsname, scopes }) => rsname === 'user-impersonation' && [scopes].flat().includes(IMPERSONATE_SCOPE),
  )
  return audience.includes(RESOURCE_SERVER) && isGranted === true
}

function issuerOf(token: string): string | undefined {
  try {
    const { iss } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims
    return typeof iss === 'string' ? iss : undefined
  } catch {
    return undefined
  }
}

async function readJwks(issuer: string): Promise<ReadonlyMap<string, KeyObject>> {
  const { status, body } = await callHttp({ url: `${issuer}/protocol/openid-connect/certs`, timeoutMs: TIMEOUT_MS })
  if (status !== 200) return new Map()
  const { keys } = JSON.parse(body.toString()) as { keys: readonly { kid: string; kty: string; use?: string; n?: string; e?: string }[] }
  return new Map(
    keys
      // The RSA-OAEP key of a realm is for encryption: a signature under it would prove nothing.
      .filter(({ use, kty }) => use !== 'enc' && kty === 'RSA')
      .map(({ kid, kty, n, e }) => [kid, createPublicKey({ key: { kty, n: n ?? '', e: e ?? '' }, format: 'jwk' })]),
  )
}
