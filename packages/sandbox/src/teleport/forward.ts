import { type IncomingMessage, type ServerResponse, request as httpRequest } from 'node:http'
import type { TeleportApp } from './app.ts'
import { withoutOwnCookies } from './cookies.ts'
import type { TeleportFaults } from './faults.ts'

export type ForwardOptions = {
  readonly app: TeleportApp
  readonly assertion: string
  readonly faults: TeleportFaults
  /** Sends the assertion as `Cf-Access-Token` too, as older servers do. */
  readonly legacyHeader: boolean
  readonly port: number
}

/** Fields about one connection, RFC 9110 section 7.6.1; they do not travel on. */
const HOP_BY_HOP: ReadonlySet<string> = new Set(
  'connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade proxy-connection'.split(' '),
)
const ASSERTION_HEADER = 'teleport-jwt-assertion'
const LEGACY_HEADER = 'cf-access-token'

/** Whether only Teleport may set a header: what a client or a rewrite says of it is dropped. */
function isReserved(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === ASSERTION_HEADER || lower === LEGACY_HEADER || lower.startsWith('x-teleport-') || lower.startsWith('x-forwarded-')
}

/** The fields that go to the app, as a raw list: name, value, name, value. */
function forwardedFields(request: IncomingMessage, { app, assertion, faults, legacyHeader, port }: ForwardOptions): string[] {
  const named = new Set((request.headers.connection ?? '').split(',').map((each) => each.trim().toLowerCase()))
  const rewrites = (app.headers ?? []).filter(({ name }) => !isReserved(name))
  const replaced = new Set(rewrites.map(({ name }) => name.toLowerCase()))
  const fields: string[] = []
  const { rawHeaders } = request
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]]
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || named.has(lower) || isReserved(lower) || replaced.has(lower)) continue
    if (lower === 'cookie' || lower === 'host') continue
    fields.push(name, value)
  }
  const cookie = withoutOwnCookies(request.headers.cookie)
  if (cookie !== undefined) fields.push('Cookie', cookie)
  if (!replaced.has('host')) fields.push('Host', new URL(app.upstream ?? app.uri).host)
  for (const { name, value } of rewrites) fields.push(name, value.replaceAll('{{internal.jwt}}', assertion))
  const copies = faults.noAssertion === true ? 0 : faults.twice === true ? 2 : 1
  for (let copy = 0; copy < copies; copy += 1) fields.push('Teleport-Jwt-Assertion', assertion)
  if (legacyHeader && copies > 0) fields.push('Cf-Access-Token', assertion)
  fields.push('X-Forwarded-For', request.socket.remoteAddress ?? '', 'X-Forwarded-Proto', 'http')
  fields.push('X-Forwarded-Host', request.headers.host ?? '', 'X-Forwarded-Server', app.publicAddr, 'X-Forwarded-Port', String(port))
  return fields
}

/** Passes a request on and its reply back, as they come. Gives the status that the client was sent. */
export async function forward(request: IncomingMessage, response: ServerResponse, options: ForwardOptions): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const base = new URL(options.app.upstream ?? options.app.uri)
  // A connection for each: of those kept, an app closes some just as they are used again.
  const outgoing = httpRequest({
    host: base.hostname,
    port: base.port === '' ? 80 : base.port,
    method: request.method,
    path: request.url,
    headers: forwardedFields(request, options),
    agent: false,
  })
  outgoing.on('response', (answer) => {
    const fields = answer.rawHeaders.filter((_, at, all) => !HOP_BY_HOP.has((all[at - (at % 2)] ?? '').toLowerCase()))
    response.writeHead(answer.statusCode ?? 502, fields)
    answer.pipe(response)
    answer.on('close', () => (answer.complete ? undefined : response.destroy()))
    resolve(answer.statusCode ?? 502)
  })
  outgoing.on('error', () => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502, { 'content-type': 'text/plain' }).end('the application cannot be reached\n')
    resolve(502)
  })
  response.on('close', () => outgoing.destroy())
  request.pipe(outgoing)
  return promise
}
