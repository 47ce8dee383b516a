import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { IssuerUser } from './people.ts'

/** Somebody signed in, in one browser. */
export type IssuerSession = {
  /** `sid` of tokens. */
  readonly id: string
  readonly user: IssuerUser
  /** Epoch milliseconds. */
  readonly authenticatedAt: number
  /** Clients that have tokens of it. */
  readonly clients: Set<string>
}

/** What an authorization request asked for, until its code is redeemed. */
export type Grant = {
  readonly clientId: string
  readonly redirectUri: string
  readonly scope: string
  readonly nonce: string | undefined
  readonly challenge: string
  readonly session: IssuerSession
  readonly madeAt: number
}

type Refresh = { readonly session: IssuerSession; readonly clientId: string; readonly scope: string }

/** As Keycloak's default for codes. */
const CODE_TTL_MS = 60_000
const KEPT_MAX = 1000

/** Sessions, codes and refresh tokens, in memory. */
export class IssuerSessions {
  readonly #now: () => number
  readonly #byCookie = new Map<string, IssuerSession>()
  readonly #codes = new Map<string, Grant>()
  readonly #redeemed = new Map<string, Grant>()
  readonly #refresh = new Map<string, Refresh>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Gives the cookie's value. */
  start(user: IssuerUser): { readonly cookie: string; readonly session: IssuerSession } {
    const session = { id: randomUUID(), user, authenticatedAt: this.#now(), clients: new Set<string>() }
    return { cookie: keep(this.#byCookie, session), session }
  }

  byCookie(cookie: string | undefined): IssuerSession | undefined {
    return cookie === undefined ? undefined : this.#byCookie.get(cookie)
  }

  byId(id: unknown): IssuerSession | undefined {
    return [...this.#byCookie.values()].find((session) => session.id === id)
  }

  all(): readonly IssuerSession[] {
    return [...this.#byCookie.values()]
  }

  /** With its refresh tokens and codes. */
  end(session: IssuerSession): void {
    for (const [cookie, each] of this.#byCookie) if (each === session) this.#byCookie.delete(cookie)
    for (const [token, refresh] of this.#refresh) if (refresh.session === session) this.#refresh.delete(token)
    for (const [code, grant] of this.#codes) if (grant.session === session) this.#codes.delete(code)
  }

  makeCode(grant: Omit<Grant, 'madeAt'>): string {
    return keep(this.#codes, { ...grant, madeAt: this.#now() })
  }

  /** A code is good once, for a minute, for the verifier of its challenge (RFC 7636 section 4.6). One that comes again ends its session. */
  redeem(
    code: string,
    { clientId, redirectUri, verifier }: { clientId: string; redirectUri: string; verifier: string },
  ): Grant | undefined {
    const again = this.#redeemed.get(code)
    if (again !== undefined) this.end(again.session)
    const grant = this.#codes.get(code)
    if (grant === undefined) return undefined
    this.#codes.delete(code)
    keep(this.#redeemed, grant, code)
    const isProven = createHash('sha256').update(verifier).digest('base64url') === grant.challenge
    const isInTime = this.#now() < grant.madeAt + CODE_TTL_MS
    return isProven && isInTime && grant.clientId === clientId && grant.redirectUri === redirectUri ? grant : undefined
  }

  makeRefresh(refresh: Refresh): string {
    return keep(this.#refresh, refresh)
  }

  /** A refresh token is good once; its successor comes with the answer. */
  takeRefresh(token: string, clientId: string): Refresh | undefined {
    const refresh = this.#refresh.get(token)
    if (refresh === undefined || refresh.clientId !== clientId) return undefined
    this.#refresh.delete(token)
    return refresh
  }
}

function keep<Value>(map: Map<string, Value>, value: Value, key: string = randomBytes(32).toString('base64url')): string {
  const [oldest] = map.keys()
  if (map.size >= KEPT_MAX && oldest !== undefined) map.delete(oldest)
  map.set(key, value)
  return key
}
