import type { IncomingMessage, ServerResponse } from 'node:http'
import { readClaims } from '../jwt/rsa-key.ts'
import { readBody } from '../read-body.ts'
import { readCookies } from '../teleport/cookies.ts'
import { page } from '../teleport/pages.ts'
import { SESSION_COOKIE, sendHtml } from './authorize.ts'
import type { IssuerContext } from './types.ts'
import { isRegistered } from './people.ts'
import type { IssuerSession } from './sessions.ts'
import { logoutClaims } from './tokens.ts'

/**
 * `/logout` (OpenID Connect RP-Initiated Logout). The hint names the session even when its token has expired; without one there is
 * only the browser's cookie, and nobody is sent anywhere: a link on any page could do that.
 */
export async function endSession(
  context: IssuerContext,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const { searchParams } = new URL(request.url ?? '', context.issuer)
  const asked = request.method === 'POST' ? new URLSearchParams((await readBody(request)).toString()) : searchParams
  const hint = readClaims(asked.get('id_token_hint') ?? '')
  const session =
    hint === undefined
      ? context.sessions.byCookie(readCookies(request.headers.cookie).get(SESSION_COOKIE))
      : context.sessions.byId(hint['sid'])
  if (session !== undefined) await context.end(session)
  response.setHeader('Set-Cookie', `${SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
  const to = asked.get('post_logout_redirect_uri')
  const client = context.clients.find(({ id }) => id === (hint?.['azp'] ?? asked.get('client_id')))
  if (to === null || hint === undefined || client === undefined || !isRegistered(client, to))
    return sendHtml(response, to === null ? 200 : 400, page('Signed out', '<h1>You are logged out</h1>'))
  const location = new URL(to)
  const state = asked.get('state')
  if (state !== null) location.searchParams.set('state', state)
  response.writeHead(302, { location: location.href, 'cache-control': 'no-store' }).end()
}

/** Tells the clients of a session that it has ended. One that cannot be told is passed over: it has its own limits. */
export async function tellClients(context: IssuerContext, session: IssuerSession): Promise<void> {
  const told = context.clients.filter(({ id, backchannelLogoutUri }) => backchannelLogoutUri !== undefined && session.clients.has(id))
  const { issuer, keys } = context
  await Promise.all(
    told.map(async ({ id: clientId, backchannelLogoutUri = '' }) => {
      const claims = logoutClaims({ issuer, clientId, user: session.user, sessionId: session.id, iat: Math.floor(context.now() / 1000) })
      const body = new URLSearchParams({ logout_token: keys.sign(claims, { header: { typ: 'logout+jwt' } }) })
      await fetch(backchannelLogoutUri, { method: 'POST', body, redirect: 'manual' }).catch(() => undefined)
    }),
  )
}
