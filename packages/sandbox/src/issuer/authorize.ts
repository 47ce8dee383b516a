import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../read-body.ts'
import { readCookies } from '../teleport/cookies.ts'
import { escapeHtml, page } from '../teleport/pages.ts'
import type { IssuerContext } from './types.ts'
import { type IssuerClient, isRegistered } from './people.ts'
import type { IssuerSession } from './sessions.ts'

export const SESSION_COOKIE = 'sandbox_issuer_session'

type Call = { readonly request: IncomingMessage; readonly response: ServerResponse }
type Asked = { readonly client: IssuerClient; readonly redirectUri: string; readonly query: URLSearchParams }

/** `GET /authorize`: an authorization request (RFC 6749 section 4.1.1) with PKCE, which is required here. */
export function authorize(context: IssuerContext, { request, response }: Call): void {
  const { searchParams: query } = new URL(request.url ?? '', context.issuer)
  const asked = checkAddress(context, query)
  // Never redirect to an address that is not registered: that would be an open redirector.
  if (typeof asked === 'string')
    return sendHtml(response, 400, page('Cannot sign in', `<h1>Cannot sign in</h1><p>${escapeHtml(asked)}</p>`))
  const fault = faultOf(query)
  if (fault !== undefined) return sendBack(context, response, asked, fault)
  const session = context.sessions.byCookie(readCookies(request.headers.cookie).get(SESSION_COOKIE))
  const prompt = query.get('prompt')
  if (session !== undefined && prompt !== 'login') return sendCode(context, response, asked, session)
  if (prompt === 'none') return sendBack(context, response, asked, { error: 'login_required' })
  sendHtml(response, 200, loginPage(context, query))
}

/** `POST /login` from the page: the request of before, and who it is. A sandbox asks for no password. */
export async function login(context: IssuerContext, { request, response }: Call): Promise<void> {
  const form = new URLSearchParams((await readBody(request)).toString())
  const query = new URLSearchParams(form.get('request') ?? '')
  const asked = checkAddress(context, query)
  const user = context.users.find(({ username }) => username === form.get('username'))
  if (typeof asked === 'string' || user === undefined || faultOf(query) !== undefined)
    return sendHtml(response, 400, page('Cannot sign in', '<h1>Cannot sign in</h1>'))
  const { cookie, session } = context.sessions.start(user)
  response.setHeader('Set-Cookie', `${SESSION_COOKIE}=${cookie}; Path=/; HttpOnly; SameSite=Lax`)
  sendCode(context, response, asked, session)
}

function checkAddress({ clients }: IssuerContext, query: URLSearchParams): Asked | string {
  const client = clients.find(({ id }) => id === query.get('client_id'))
  if (client === undefined) return 'Client not found.'
  const redirectUri = query.get('redirect_uri') ?? ''
  return isRegistered(client, redirectUri) ? { client, redirectUri, query } : 'Invalid parameter: redirect_uri'
}

type Fault = { readonly error: string; readonly error_description?: string }

function faultOf(query: URLSearchParams): Fault | undefined {
  const invalid = (error_description: string): Fault => ({ error: 'invalid_request', error_description })
  if (query.get('response_type') === null) return invalid('Missing parameter: response_type')
  if (query.get('response_type') !== 'code') return { error: 'unsupported_response_type' }
  if (query.get('code_challenge_method') === null) return invalid('Missing parameter: code_challenge_method')
  if (query.get('code_challenge_method') !== 'S256')
    return invalid('Invalid parameter: code challenge method is not matching the configured one')
  if (!/^[A-Za-z0-9_-]{43}$/.test(query.get('code_challenge') ?? '')) return invalid('Missing parameter: code_challenge')
  return undefined
}

function sendCode(context: IssuerContext, response: ServerResponse, { client, redirectUri, query }: Asked, session: IssuerSession): void {
  session.clients.add(client.id)
  const code = context.sessions.makeCode({
    clientId: client.id,
    redirectUri,
    scope: query.get('scope') ?? '',
    nonce: query.get('nonce') ?? undefined,
    challenge: query.get('code_challenge') ?? '',
    session,
  })
  sendBack(context, response, { client, redirectUri, query }, { session_state: session.id, code })
}

/** With `state` as it came, and `iss` so that answers of two issuers cannot be mixed up (RFC 9207). */
function sendBack(
  { issuer }: IssuerContext,
  response: ServerResponse,
  { redirectUri, query }: Asked,
  answer: Readonly<Record<string, string>>,
): void {
  const to = new URL(redirectUri)
  const state = query.get('state')
  for (const [name, value] of Object.entries({ ...answer, ...(state !== null && { state }), iss: issuer })) to.searchParams.set(name, value)
  response.writeHead(302, { location: to.href, 'cache-control': 'no-store' }).end()
}

function loginPage({ users }: IssuerContext, query: URLSearchParams): string {
  const buttons = users.map(
    ({ username, name, role, organizations }) =>
      `<p><button name="username" value="${escapeHtml(username)}">Sign in as ${escapeHtml(name)}</button> ${role}${organizations.length > 1 ? ', two organizations' : ''}</p>`,
  )
  const request = `<input type="hidden" name="request" value="${escapeHtml(query.toString())}">`
  const note = '<p>A stand-in: whoever can reach it can be anybody.</p>'
  return page('Sandbox issuer: sign in', `<h1>Sign in</h1>${note}<form method="post" action="/login">${request}${buttons.join('')}</form>`)
}

export function sendHtml(response: ServerResponse, status: number, html: string): void {
  response.setHeader('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(html)
}
