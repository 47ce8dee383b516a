import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../read-body.ts'
import type { TeleportApp } from './app.ts'
import { type CookieForm, WEB_COOKIE, cookieName, readCookies, setCookie } from './cookies.ts'
import { appAt, hostNameOf } from './hosts.ts'
import type { Operator } from './operators.ts'
import { loginPage, page } from './pages.ts'
import type { AppSession, Sessions } from './sessions.ts'

/** The proxy's own pages: signing in, and launching an app. */
export type Web = {
  readonly sessions: Sessions
  readonly operators: readonly Operator[]
  readonly apps: readonly TeleportApp[]
  readonly cookies: CookieForm
  /** `:PORT` after the names of apps. */
  readonly portSuffix: string
  readonly started: (session: AppSession, loginIp: string) => void
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** Serves `/web/…`; false: that is not one of ours. */
export async function serveWeb(web: Web, { request, response }: Exchange): Promise<boolean> {
  const url = new URL(request.url ?? '', 'http://proxy')
  response.setHeader('Cache-Control', 'no-store')
  if (url.pathname === '/web/login' && request.method === 'GET') showLogin(web, response, url.searchParams.get('redirect_uri') ?? '')
  else if (url.pathname === '/web/login' && request.method === 'POST') await login(web, { request, response })
  else if (url.pathname === '/web/logout') logout(web, { request, response })
  else if (url.pathname.startsWith('/web/launch/')) launch(web, url, { request, response })
  else return false
  return true
}

function showLogin({ operators }: Web, response: ServerResponse, redirect: string): void {
  sendPage(response, 200, loginPage(operators, redirect))
}

async function login({ sessions, operators, cookies }: Web, { request, response }: Exchange): Promise<void> {
  const form = new URLSearchParams((await readBody(request)).toString())
  const operator = operators.find(({ name }) => name === form.get('user'))
  if (operator === undefined) return sendPage(response, 403, page('Access denied', '<h1>There is nobody of that name</h1>'))
  response.setHeader('Set-Cookie', setCookie(cookies, WEB_COOKIE, { value: sessions.startWeb(operator) }))
  const to = form.get('redirect_uri') ?? ''
  // Only to a page of ours: a path, and not `//host` or `/\host`.
  response.writeHead(303, { location: /^\/web\/launch\/[^\\]*$/.test(to) ? to : '/web/login' }).end()
}

function logout({ sessions, cookies }: Web, { request, response }: Exchange): void {
  sessions.endWeb(readCookies(request.headers.cookie).get(cookieName(cookies, WEB_COOKIE)))
  response.setHeader('Set-Cookie', setCookie(cookies, WEB_COOKIE, { value: '', maxAgeS: 0 }))
  response.writeHead(302, { location: '/web/login' }).end()
}

/**
 * `/web/launch/FQDN?path=&query=`: without a session at the proxy to the login page and back; without a state to the app, which makes
 * one; with a state it makes the session and hands it to the app in a fragment, which no server sees.
 */
function launch(web: Web, url: URL, { request, response }: Exchange): void {
  const { sessions, apps, cookies, portSuffix } = web
  const signedIn = sessions.web(readCookies(request.headers.cookie).get(cookieName(cookies, WEB_COOKIE)))
  if (signedIn === undefined) {
    response.writeHead(302, { location: `/web/login?${new URLSearchParams({ redirect_uri: url.pathname + url.search }).toString()}` }).end()
    return
  }
  const host = hostNameOf(decodeURIComponent(url.pathname.split('/')[3] ?? ''))
  const app = appAt(host, apps)
  if (app === undefined) return sendPage(response, 404, page('Not found', '<h1>There is no such application</h1>'))
  if (!mayUse(app, signedIn.operator)) return sendPage(response, 403, page('Access denied', '<h1>Access denied</h1>'))
  const query = url.searchParams.get('query') ?? ''
  const path = `${url.searchParams.get('path') ?? ''}${query === '' ? '' : `?${query}`}`
  const given = url.searchParams.get('required-apps')
  const chain = given ?? chainOf(app, host, apps).join(',')
  const [first = ''] = chain.split(',')
  if (given === null && first !== '') {
    response.writeHead(302, { location: `/web/launch/${first}?${new URLSearchParams({ path, 'required-apps': chain }).toString()}` }).end()
    return
  }
  const base = `http://${host}${portSuffix}/x-teleport-auth`
  const state = url.searchParams.get('state')
  if (state === null) {
    response.writeHead(302, { location: `${base}?${new URLSearchParams({ path, 'required-apps': chain }).toString()}` }).end()
    return
  }
  const session = sessions.startApp({ app, operator: signedIn.operator, expiresAt: signedIn.expiresAt })
  web.started(session, request.socket.remoteAddress ?? '')
  const onward = new URLSearchParams({ state, subject: session.subject, path, 'required-apps': chain })
  response.writeHead(302, { location: `${base}?${onward.toString()}#value=${session.value}` }).end()
}

/** The apps that are signed in to one after the other, by host name; the one that is wanted comes last. */
function chainOf(app: TeleportApp, host: string, apps: readonly TeleportApp[]): readonly string[] {
  const required = (app.requiredApps ?? []).flatMap((name) => apps.filter((each) => each.name === name))
  return required.length === 0 ? [] : [...required.map(({ publicAddr }) => publicAddr), host]
}

function mayUse(app: TeleportApp, operator: Operator): boolean {
  return app.roles === undefined || app.roles.some((role) => operator.roles.includes(role))
}

function sendPage(response: ServerResponse, status: number, html: string): void {
  // form-action stays open: after the login the browser is sent on, to the hosts of apps.
  response.setHeader('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(html)
}
