import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { InputError } from '@ascribe/kit'
import { listenOn } from '@ascribe/service'
import { KeyRing } from '../jwt/key-ring.ts'
import type { TeleportApp } from './app.ts'
import { AssertionSigner, assertionClaims } from './assertion.ts'
import { serveControl } from './control.ts'
import { type CookieForm, SESSION_COOKIE, SUBJECT_COOKIE, cookieName, readCookies, setCookie } from './cookies.ts'
import { answerPreflight } from './cors.ts'
import { serveExchange } from './exchange.ts'
import type { TeleportFaults } from './faults.ts'
import { forward } from './forward.ts'
import { addressedBy, hostNameOf } from './hosts.ts'
import { type Operator, SANDBOX_OPERATORS } from './operators.ts'
import { Recorder, type TeleportEvent } from './recording.ts'
import { type AppSession, type Chunk, Sessions } from './sessions.ts'
import type { SandboxTeleport, SeenAtTeleport, SignedIn, TeleportOptions } from './types.ts'
import { serveWeb } from './web.ts'

const DEFAULT_CLUSTER = 'teleport.localhost'
const SESSION_TTL_MS = 8 * 60 * 60_000
const CHUNK_MS = 5 * 60_000
const SEEN_MAX = 10_000

/**
 * Starts a stand-in for Teleport's application access on loopback: apps by host name, real assertions, its cookies, its redirects.
 * TCP apps, WebSockets, device trust and access requests are not there. Facts that it keeps to are in docs/guides/teleport.md.
 */
export async function startTeleport(options: TeleportOptions = {}): Promise<SandboxTeleport> {
  const keys = await KeyRing.create()
  const proxy = new TeleportProxy(options, { keys, signer: new AssertionSigner(keys) })
  const server = createServer({ maxHeaderSize: 256 * 1024 }, (request, response) => void proxy.serve(request, response))
  const { port } = await listenOn(server, { host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
  proxy.port = port
  return Object.assign(proxy, {
    async [Symbol.asyncDispose](): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeAllConnections()
      await promise
    },
  })
}

class TeleportProxy {
  port = 0
  readonly issuer: string
  readonly #options: TeleportOptions
  readonly #keys: KeyRing
  readonly #signer: AssertionSigner
  readonly #apps: TeleportApp[]
  readonly #operators: readonly Operator[]
  readonly #sessions: Sessions
  readonly #recorder: Recorder
  readonly #cookies: CookieForm
  readonly #now: () => number
  readonly #seen: SeenAtTeleport[] = []
  #faults: TeleportFaults

  constructor(options: TeleportOptions, { keys, signer }: { readonly keys: KeyRing; readonly signer: AssertionSigner }) {
    this.#options = options
    this.#keys = keys
    this.#signer = signer
    this.issuer = options.clusterName ?? DEFAULT_CLUSTER
    this.#apps = [...(options.apps ?? [])]
    this.#operators = options.operators ?? SANDBOX_OPERATORS
    this.#cookies = options.cookies ?? 'secure'
    this.#now = options.clock ?? Date.now
    this.#faults = options.faults ?? {}
    this.#sessions = new Sessions({ now: this.#now, ttlMs: options.sessionTtlMs ?? SESSION_TTL_MS })
    this.#recorder = new Recorder({ clusterName: this.issuer, now: this.#now })
  }

  get url(): string {
    return `http://${this.issuer}:${this.port}`
  }

  get jwksUrl(): string {
    return `http://127.0.0.1:${this.port}/.well-known/jwks.json`
  }

  get events(): readonly TeleportEvent[] {
    return this.#recorder.log
  }

  get seen(): readonly SeenAtTeleport[] {
    return [...this.#seen]
  }

  get sessions(): SandboxTeleport['sessions'] {
    return this.#sessions.list.map(({ id, operator, app, expiresAt }) => ({ sid: id, user: operator.name, app: app.name, expiresAt }))
  }

  recording(chunkId: string): readonly TeleportEvent[] | undefined {
    return this.#recorder.recording(chunkId)
  }

  appUrl(name: string): string {
    return `http://${this.#app(name).publicAddr}:${this.port}`
  }

  addApp(app: TeleportApp): void {
    const at = this.#apps.findIndex(({ name }) => name === app.name)
    this.#apps.splice(at < 0 ? this.#apps.length : at, 1, app)
  }

  signIn(operator: string, { app, ttlMs }: { readonly app: string; readonly ttlMs?: number }): SignedIn {
    const expiresAt = ttlMs === undefined ? undefined : this.#now() + ttlMs
    const session = this.#sessions.startApp({
      app: this.#app(app),
      operator: this.#operator(operator),
      ...(expiresAt !== undefined && { expiresAt }),
    })
    this.#recorder.started(session, '127.0.0.1')
    const [name, subject] = [cookieName(this.#cookies, SESSION_COOKIE), cookieName(this.#cookies, SUBJECT_COOKIE)]
    return { sid: session.id, cookie: `${name}=${session.value}; ${subject}=${session.subject}`, expiresAt: session.expiresAt }
  }

  assertion(operator: string, options: { readonly app: string; readonly ttlMs?: number; readonly faults?: TeleportFaults }): string {
    const { app, ttlMs = this.#options.sessionTtlMs ?? SESSION_TTL_MS, faults = this.#faults } = options
    const now = this.#now()
    const facts = { clusterName: this.issuer, app: this.#app(app), operator: this.#operator(operator), now, expiresAt: now + ttlMs }
    return this.#signer.sign(assertionClaims(facts, faults), faults)
  }

  endSessions(which: { readonly id?: string; readonly operator?: string } = {}): number {
    const ended = this.#sessions.end(which)
    for (const session of ended) this.#recorder.ended(session)
    return ended.length
  }

  setFaults(faults: TeleportFaults): void {
    this.#faults = faults
    // The next request gets an assertion that has them.
    for (const session of this.#sessions.list) delete session.chunk
  }

  async rotateKeys(): Promise<void> {
    await this.#keys.rotate()
    for (const session of this.#sessions.list) delete session.chunk
  }

  dropOldKeys(): void {
    this.#keys.dropOld()
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?', 1)
    const { host, origin } = request.headers
    const seen: SeenAtTeleport = { method: request.method ?? '', host: hostNameOf(host), path, origin, outcome: 'answered' }
    this.#seen.push(seen)
    if (this.#seen.length > SEEN_MAX) this.#seen.shift()
    try {
      const addressed = addressedBy(host, { clusterName: this.issuer, apps: this.#apps })
      if (addressed.kind === 'app') seen.outcome = await this.#serveApp(addressed.app, path, { request, response })
      else if (addressed.kind === 'proxy') await this.#serveProxy(path, { request, response })
      else {
        seen.outcome = 'unknown-host'
        response.writeHead(404, { 'content-type': 'text/plain' }).end('there is no such application\n')
      }
    } catch (error) {
      seen.outcome = 'failed'
      if (response.headersSent) response.destroy()
      else response.writeHead(error instanceof InputError ? 400 : 500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`)
    }
  }

  async #serveProxy(path: string, call: { readonly request: IncomingMessage; readonly response: ServerResponse }): Promise<void> {
    const { response } = call
    if (path === '/.well-known/jwks.json') {
      const keys = this.#faults.noKid === true ? this.#keys.bareJwks : this.#keys.jwks
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }))
      return
    }
    const web = {
      sessions: this.#sessions,
      operators: this.#operators,
      apps: this.#apps,
      cookies: this.#cookies,
      portSuffix: `:${this.port}`,
      started: (session: AppSession, loginIp: string) => this.#recorder.started(session, loginIp),
    }
    if (await serveWeb(web, call)) return
    if (await serveControl(this, call)) return
    response.writeHead(302, { location: '/web/login' }).end()
  }

  async #serveApp(
    app: TeleportApp,
    path: string,
    call: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ): Promise<SeenAtTeleport['outcome']> {
    const { request, response } = call
    if (path === '/x-teleport-auth') {
      await serveExchange({ sessions: this.#sessions, cookies: this.#cookies, proxy: this.url }, request, response)
      return 'answered'
    }
    if (request.method === 'OPTIONS' && app.cors !== undefined && (this.#options.preflights ?? 'new') === 'new') {
      answerPreflight(response, app.cors, request.headers.origin)
      return 'answered'
    }
    const session = this.#sessionOf(app, request)
    if (path === '/teleport-logout') return this.#logout(session, response)
    // No CORS headers: a page that asked across origins learns nothing but that it failed (teleport#52665).
    if (session === undefined) return this.#toLauncher(call)
    const chunk = this.#chunkOf(session)
    const { legacyHeader = false } = this.#options
    const options = { app, assertion: chunk.assertion, faults: this.#faults, legacyHeader, port: this.port }
    const statusCode = await forward(request, response, options)
    const rawQuery = (request.url ?? '').slice(path.length + 1)
    this.#recorder.requested(session, chunk.id, { method: request.method ?? '', path, rawQuery, statusCode })
    return 'forwarded'
  }

  /** Both cookies, and of this app: a session with one app opens no other. */
  #sessionOf(app: TeleportApp, request: IncomingMessage): AppSession | undefined {
    const cookies = readCookies(request.headers.cookie)
    const session = this.#sessions.byValue(cookies.get(cookieName(this.#cookies, SESSION_COOKIE)))
    const subject = cookies.get(cookieName(this.#cookies, SUBJECT_COOKIE))
    return session !== undefined && session.app.name === app.name && session.subject === subject ? session : undefined
  }

  #toLauncher({ request, response }: { request: IncomingMessage; response: ServerResponse }): 'launched' {
    request.resume()
    const url = new URL(request.url ?? '/', 'http://app')
    const query = new URLSearchParams({ path: url.pathname, ...(url.search.length > 1 && { query: url.search.slice(1) }) })
    response.writeHead(302, { location: `${this.url}/web/launch/${hostNameOf(request.headers.host)}?${query.toString()}` }).end()
    return 'launched'
  }

  /** Ends the session with this app; the one with the proxy goes on, and launches the app again without asking. */
  #logout(session: AppSession | undefined, response: ServerResponse): 'answered' {
    if (session === undefined) {
      response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end('invalid session\n')
      return 'answered'
    }
    this.endSessions({ id: session.id })
    const gone = [SESSION_COOKIE, SUBJECT_COOKIE].map((name) => setCookie(this.#cookies, name, { value: '', maxAgeS: 0 }))
    response.setHeader('Set-Cookie', gone)
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('Logged out.\n')
    return 'answered'
  }

  /** A session's requests are recorded in pieces of five minutes; each piece has an assertion of its own. */
  #chunkOf(session: AppSession): Chunk {
    const now = this.#now()
    const { chunk } = session
    if (chunk !== undefined && now < chunk.startedAt + (this.#options.chunkMs ?? CHUNK_MS)) return chunk
    const { app, operator, expiresAt } = session
    const claims = assertionClaims({ clusterName: this.issuer, app, operator, now, expiresAt }, this.#faults)
    const started = { id: this.#recorder.chunkStarted(session), startedAt: now, assertion: this.#signer.sign(claims, this.#faults) }
    session.chunk = started
    return started
  }

  #app(name: string): TeleportApp {
    const app = this.#apps.find((each) => each.name === name)
    if (app === undefined)
      throw new InputError(`Cannot find the app ${name}: there is ${this.#apps.map((each) => each.name).join(', ') || 'none'}`)
    return app
  }

  #operator(name: string): Operator {
    const operator = this.#operators.find((each) => each.name === name)
    if (operator === undefined)
      throw new InputError(`Cannot find the operator ${name}: there is ${this.#operators.map((each) => each.name).join(', ')}`)
    return operator
  }
}
