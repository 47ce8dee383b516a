import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../read-body.ts'
import { type CookieForm, SESSION_COOKIE, STATE_COOKIE, SUBJECT_COOKIE, cookieName, readCookies, setCookie } from './cookies.ts'
import { exchangePage } from './pages.ts'
import { type Sessions, token } from './sessions.ts'

/** `/x-teleport-auth` on an app's host: how a session made at the proxy becomes cookies of the app. */
export type Exchange = {
  readonly sessions: Sessions
  readonly cookies: CookieForm
  /** Origin of the proxy's pages. */
  readonly proxy: string
}

/** The state cookie lives for a minute: long enough for a launch, too short to be found later. */
const STATE_MAX_AGE_S = 60

export async function serveExchange(exchange: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Cache-Control', 'no-store')
  if (request.method === 'POST') return completeExchange(exchange, request, response)
  const url = new URL(request.url ?? '', 'http://app')
  if (url.searchParams.get('state') === null) return startExchange(exchange, url, { request, response })
  const nonce = randomBytes(16).toString('base64')
  response.setHeader(
    'Content-Security-Policy',
    `default-src 'none'; script-src 'nonce-${nonce}'; connect-src 'self'; frame-ancestors 'none'`,
  )
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(exchangePage({ proxy: exchange.proxy, nonce }))
}

/** A random secret goes into a cookie of its own and into the address: only the browser that began can end it (double submit). */
function startExchange(
  { cookies, proxy }: Exchange,
  url: URL,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): void {
  const [secret, id] = [token(), token()]
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  const query = new URLSearchParams({
    path: url.searchParams.get('path') ?? '',
    'required-apps': url.searchParams.get('required-apps') ?? '',
    state: `${secret}_${id}`,
  })
  response.setHeader('Set-Cookie', setCookie(cookies, `${STATE_COOKIE}_${id}`, { value: secret, maxAgeS: STATE_MAX_AGE_S }))
  response.writeHead(302, { location: `${proxy}/web/launch/${host}?${query.toString()}` }).end()
}

type Handed = { readonly state_value?: unknown; readonly cookie_value?: unknown; readonly subject_cookie_value?: unknown }

async function completeExchange({ sessions, cookies }: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const handed = parseHanded(await readBody(request))
  const [secret = '', id = ''] = typeof handed.state_value === 'string' ? handed.state_value.split('_', 2) : []
  const stateCookie = readCookies(request.headers.cookie).get(cookieName(cookies, `${STATE_COOKIE}_${id}`))
  const session = sessions.byValue(typeof handed.cookie_value === 'string' ? handed.cookie_value : undefined)
  if (secret === '' || stateCookie !== secret || session === undefined || handed.subject_cookie_value !== session.subject) {
    // Who tried with somebody's session has ended it.
    if (session !== undefined) sessions.end({ id: session.id })
    response.writeHead(403, { 'content-type': 'text/plain' }).end('access denied\n')
    return
  }
  response.setHeader('Set-Cookie', [
    setCookie(cookies, `${STATE_COOKIE}_${id}`, { value: '', maxAgeS: 0 }),
    setCookie(cookies, SESSION_COOKIE, { value: session.value }),
    setCookie(cookies, SUBJECT_COOKIE, { value: session.subject }),
  ])
  response.writeHead(200).end()
}

function parseHanded(body: Buffer): Handed {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    // Refused like one without a state.
    return {}
  }
}
