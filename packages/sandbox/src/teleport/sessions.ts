import { randomBytes, randomUUID } from 'node:crypto'
import type { TeleportApp } from './app.ts'
import type { Operator } from './operators.ts'

/** An operator's session with one app: found by the cookie's value, and good only with its subject. */
export type AppSession = {
  /** `sid` of the events. */
  readonly id: string
  /** Value of `__Host-grv_app_session`. */
  readonly value: string
  /** Value of `__Host-grv_app_session_subject`. */
  readonly subject: string
  readonly app: TeleportApp
  readonly operator: Operator
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly expiresAt: number
  /** The current piece of its recording, and the assertion that goes with it. */
  chunk?: Chunk
}

/** Teleport records a session in pieces, and makes one assertion for each. */
export type Chunk = { readonly id: string; readonly startedAt: number; readonly assertion: string }

/** Signed in at the proxy itself. */
type WebSession = { readonly operator: Operator; readonly expiresAt: number }

/** Sessions that a sandbox keeps; the oldest goes first. */
const SESSIONS_MAX = 1000
const TOKEN_BYTES = 32

/** Everybody's sessions, in memory. */
export class Sessions {
  readonly #apps = new Map<string, AppSession>()
  readonly #web = new Map<string, WebSession>()
  readonly #now: () => number
  readonly #ttlMs: number

  constructor({ now, ttlMs }: { readonly now: () => number; readonly ttlMs: number }) {
    this.#now = now
    this.#ttlMs = ttlMs
  }

  /** Signs in at the proxy; gives the cookie's value. */
  startWeb(operator: Operator, ttlMs: number = this.#ttlMs): string {
    const value = token()
    keep(this.#web, value, { operator, expiresAt: this.#now() + ttlMs })
    return value
  }

  web(value: string | undefined): WebSession | undefined {
    const session = value === undefined ? undefined : this.#web.get(value)
    return session === undefined || session.expiresAt <= this.#now() ? undefined : session
  }

  endWeb(value: string | undefined): void {
    if (value !== undefined) this.#web.delete(value)
  }

  /** A session with an app: it ends with the proxy's session that it was made from. */
  startApp({ app, operator, expiresAt }: Pick<AppSession, 'app' | 'operator'> & { readonly expiresAt?: number }): AppSession {
    const startedAt = this.#now()
    const session = {
      id: randomUUID(),
      value: token(),
      subject: token(),
      app,
      operator,
      startedAt,
      expiresAt: expiresAt ?? startedAt + this.#ttlMs,
    }
    keep(this.#apps, session.value, session)
    return session
  }

  /** The session of a cookie, without looking at its subject. */
  byValue(value: string | undefined): AppSession | undefined {
    const session = value === undefined ? undefined : this.#apps.get(value)
    return session === undefined || session.expiresAt <= this.#now() ? undefined : session
  }

  /** Ends sessions: of one id, of one operator, or all. Gives what it ended. */
  end({ id, operator }: { readonly id?: string; readonly operator?: string } = {}): readonly AppSession[] {
    const ended = [...this.#apps.values()].filter(
      (session) => (id === undefined || session.id === id) && (operator === undefined || session.operator.name === operator),
    )
    for (const session of ended) this.#apps.delete(session.value)
    if (id !== undefined) return ended
    for (const [value, session] of this.#web) if (operator === undefined || session.operator.name === operator) this.#web.delete(value)
    return ended
  }

  get list(): readonly AppSession[] {
    return [...this.#apps.values()]
  }
}

/** As long as Teleport's: 32 random bytes, hexadecimal. */
export function token(): string {
  return randomBytes(TOKEN_BYTES).toString('hex')
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  const [oldest] = map.keys()
  if (map.size >= SESSIONS_MAX && oldest !== undefined) map.delete(oldest)
  map.set(key, value)
}
