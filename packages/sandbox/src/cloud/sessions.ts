import { type Call, type Reply, jsonObject } from '../oauth/http.ts'
import { ApiRefusal, JSON_HEADERS } from './api-reply.ts'
import { actionOf } from './fields.ts'
import type { SandboxUser } from './users.ts'
import type { World } from './world.ts'

export const ACCOUNTS_ACTION = 'accounts/action/'

type Session = { readonly user: string; readonly csrf: string; readonly endsAt: number }

const FORTNIGHT_MS = 14 * 24 * 3600 * 1000
const SESSIONS_MAX = 10_000
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Logins by cookie, as the web interface has them. */
export class Sessions {
  readonly #sessions = new Map<string, Session>()

  /** Whose session a call's cookie is; an unsafe verb also needs the token of the other cookie. @throws {ApiRefusal} */
  userOf(world: World, call: Call): SandboxUser | undefined {
    const session = this.#sessions.get(cookieOf(call, 'sessionid') ?? '')
    if (session === undefined || session.endsAt <= world.now()) return undefined
    if (!SAFE.has(call.method) && call.headers['x-csrftoken'] !== session.csrf)
      throw new ApiRefusal(403, 'permission', 'CSRF Failed: CSRF token missing or incorrect.')
    return world.users.get(session.user)
  }

  /** `POST /accounts/action/?do=login|logout`. @throws {ApiRefusal} */
  act(world: World, call: Call): Reply {
    if (actionOf(call.query, ['login', 'logout']) === 'logout') {
      this.#sessions.delete(cookieOf(call, 'sessionid') ?? '')
      return { status: 200, headers: JSON_HEADERS, body: {} }
    }
    const { username, password } = jsonObject(call.body) as { username?: unknown; password?: unknown }
    const user = typeof username === 'string' ? world.users.byEmail(username) : undefined
    if (user === undefined || user.password !== password) throw new ApiRefusal(401, 'permission', 'Authentication failed')
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size >= SESSIONS_MAX && oldest !== undefined) this.#sessions.delete(oldest)
    const [id, csrf] = [world.random.bytes('session').toString('hex', 0, 16), world.random.bytes('csrf').toString('hex', 0, 16)]
    this.#sessions.set(id, { user: user.uuid, csrf, endsAt: world.now() + FORTNIGHT_MS })
    const age = `Path=/; Max-Age=${FORTNIGHT_MS / 1000}`
    const cookies = [`sessionid=${id}; ${age}; HttpOnly`, `csrftoken=${csrf}; ${age}`]
    return { status: 200, headers: JSON_HEADERS, cookies, body: {} }
  }
}

function cookieOf(call: Call, name: string): string | undefined {
  const pairs = (call.headers.cookie ?? '').split(';').map((each) => each.trim().split('=', 2))
  return pairs.find(([key]) => key === name)?.[1]
}
