import { timingSafeEqual } from 'node:crypto'
import { AscribeError, InputError } from '@ascribe/kit'
import { type Call, type Reply, bearerOf } from '../oauth/http.ts'
import type { ClientChange } from '../oauth/realm.ts'
import type { Fault } from './faults.ts'
import type { Knobs } from './knobs.ts'
import type { OutsideEvent } from './outside-events.ts'
import { cloudPage } from './page.ts'
import { type ScriptStep, runScript } from './script.ts'
import type { CloudHandles } from './handles.ts'
import type { SandboxUserSpec, UserChange } from './users.ts'

type Body = Readonly<Record<string, unknown>>
type ActRequest = { readonly body: unknown; readonly id: string; readonly query: URLSearchParams }
type Act = (cloud: CloudHandles, request: ActRequest) => unknown

/** An act whose body is an object with nothing but these members: a typing error is a 400, not a test that passed. */
function taking(members: readonly string[], act: (cloud: CloudHandles, body: Body, id: string) => unknown): Act {
  return (cloud, { body, id }) => {
    const fields = objectOf(body)
    const unknown = Object.keys(fields).find((name) => !members.includes(name))
    if (unknown !== undefined) throw new InputError(`Cannot use '${unknown}': it is one of ${members.join(', ')}`)
    return act(cloud, fields, id)
  }
}

function objectOf(body: unknown): Body {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InputError('Cannot read the request: the body must be a JSON object')
  return body as Body
}

const USER = ['email', 'state', 'paid']
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isNumber = (value: unknown): boolean => typeof value === 'number'
const oneOf =
  (...words: readonly string[]) =>
  (value: unknown): boolean =>
    words.some((each) => each === value)

const CLIENT: { readonly [Name in keyof ClientChange]-?: (value: unknown) => boolean } = {
  secret: (value) => typeof value === 'string',
  enabled: isFlag,
  access: oneOf('confidential', 'public', 'bearer-only'),
  serviceAccount: isFlag,
  serviceUser: oneOf('enabled', 'disabled', 'missing'),
  lifetimeS: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  refusedByPolicy: isFlag,
  lightweight: isFlag,
  refreshTokens: isFlag,
  tokenExchange: isFlag,
  audience: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
  rotatedSecret: (value) => {
    const { secret, untilMs } = Object(value) as { secret?: unknown; untilMs?: unknown }
    return typeof secret === 'string' && isNumber(untilMs)
  },
  secretExpiresAtMs: isNumber,
  authorization: oneOf('none', 'resources', 'crashing'),
}

/** @throws {InputError} */
function clientChangeOf(body: Body): ClientChange {
  for (const [name, check] of Object.entries(CLIENT)) {
    if (name in body && !check(body[name])) throw new InputError(`Cannot change '${name}' of a client to ${JSON.stringify(body[name])}`)
  }
  return body as ClientChange
}

/** What the control listener does, by method and path. `:id` is the rest of the path, decoded. Values are checked by the acts. */
const ACTS: Readonly<Record<string, Act>> = {
  'GET /knobs': (cloud) => cloud.knobs,
  'POST /knobs': (cloud, { body }) => {
    cloud.setKnobs(objectOf(body) as Partial<Knobs>)
    return cloud.knobs
  },
  'GET /faults': (cloud) => cloud.faults(),
  'POST /faults': (cloud, { body }) => ({ id: cloud.addFault(objectOf(body) as Fault) }),
  'DELETE /faults': (cloud) => cloud.clearFaults(),
  'DELETE /faults/:id': (cloud, { id }) => cloud.clearFaults(Number(id)),
  'GET /calls': (cloud) => cloud.calls(),
  'DELETE /calls': (cloud) => cloud.forgetCalls(),
  'GET /users': (cloud) => cloud.accounts(),
  'POST /users': taking([...USER, 'uuid', 'password', 'isPlatform'], (cloud, body) => publicUser(cloud.addUser(body as SandboxUserSpec))),
  'POST /users/:id': taking([...USER, 'removed', 'cloneNaming'], (cloud, body, id) => cloud.changeUser(id, body as UserChange)),
  'POST /clients/:id': taking(Object.keys(CLIENT), (cloud, body, id) => cloud.changeClient(id, clientChangeOf(body))),
  'DELETE /clients/:id': (cloud, { id }) => cloud.removeClient(id),
  'POST /realm': taking(['notBefore'], (cloud, body) => cloud.changeRealm(body)),
  'GET /clock': clockState,
  'POST /clock': taking(['advanceMs', 'mode'], (cloud, body) => {
    turnClock(cloud, body)
    return clockState(cloud)
  }),
  'GET /bill': (cloud, { query }) => cloud.bill(query.get('owner') ?? ''),
  'GET /intervals': (cloud, { query }) => cloud.intervals(query.get('owner') ?? undefined),
  'GET /servers': (cloud) => cloud.servers(),
  'POST /events': taking(['event', 'server', 'name', 'owner', 'drives'], (cloud, body) => cloud.happen(body as OutsideEvent)),
  'POST /tokens/revoke': taking(['user', 'token'], (cloud, body) => ({ revoked: cloud.revokeTokens(body) })),
  'POST /keys/rotate': taking(['keep'], (cloud, body) => cloud.rotateKeys(body)),
  'GET /script': (cloud) => ({ failures: cloud.failures() }),
  'POST /script': (cloud, { body }) =>
    runScript(cloud, body as readonly ScriptStep[], (act) => {
      const [method = '', path = ''] = act.split(' ', 2)
      const found = actAt(method, path)
      return found === undefined ? undefined : (given) => found.act(cloud, { body: given, id: found.id, query: new URLSearchParams() })
    }),
}

/** The act of a method and path, and what its `:id` is. */
function actAt(method: string, path: string): { readonly act: Act; readonly id: string } | undefined {
  const exact = ACTS[`${method} ${path}`]
  if (exact !== undefined) return { act: exact, id: '' }
  const [, first = '', ...rest] = path.split('/')
  const act = ACTS[`${method} /${first}/:id`]
  return act === undefined ? undefined : { act, id: decodeURIComponent(rest.join('/')) }
}

const publicUser = ({ email, uuid, state }: { email: string; uuid: string; state: string }): Body => ({ email, uuid, state })
function clockState({ clock }: CloudHandles): Body {
  return { now: new Date(clock.now()).toISOString(), mode: clock.mode }
}

function turnClock({ clock }: CloudHandles, { advanceMs, mode }: Body): void {
  const isAdvance = Number.isSafeInteger(advanceMs) && Number(advanceMs) >= 0
  if ((advanceMs !== undefined && !isAdvance) || (mode !== undefined && mode !== 'frozen' && mode !== 'running'))
    throw new InputError('Cannot turn the clock: give `advanceMs`, 0 or more, and `mode`, running or frozen')
  if (mode === 'frozen') clock.freeze()
  if (mode === 'running') clock.run()
  if (isAdvance) clock.advance(Number(advanceMs))
}

/** Answers the control listener: the page at `/`, acts elsewhere. Both want the token. */
export async function serveControl(cloud: CloudHandles, call: Call, token: string): Promise<Reply> {
  if (!isToken(bearerOf(call) ?? call.query.get('token') ?? '', token))
    return json(401, { error: 'Give the control token as Authorization: Bearer …' })
  if (call.path === '/') return { status: 200, headers: PAGE_HEADERS, body: cloudPage(cloud) }
  try {
    const found = actAt(call.method, call.path)
    if (found === undefined) return json(404, { error: `There is no ${call.method} ${call.path} here`, acts: Object.keys(ACTS) })
    const body: unknown = call.body === '' ? {} : JSON.parse(call.body)
    const result = await found.act(cloud, { body, id: found.id, query: call.query })
    return result === undefined ? { status: 204, headers: {} } : json(200, result)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof URIError) return json(400, { error: 'The request cannot be read' })
    if (error instanceof AscribeError) return json(400, { error: error.message })
    // A value of a kind that nobody expected: whoever sent it is told, and the sandbox goes on.
    return json(500, { error: String(error) })
  }
}

const PAGE_HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Exact sums are bigint inside and decimal strings outside. */
function json(status: number, value: unknown): Reply {
  const text = JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
  return { status, headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }, body: text }
}
