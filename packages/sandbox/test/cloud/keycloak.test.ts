import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { rptFor, serviceToken } from './cloud-client.ts'

// recorded/keycloak-26.jsonl: answers of a real Keycloak 26.7.4, one a line, without tokens, ids, ports and secrets.
// Every line is replayed against the sandbox: status, headers, body, lifetime, and the claims of the tokens.

type Recorded = {
  readonly name: string
  readonly request: {
    readonly method: string
    readonly path: string
    readonly authorization?: string
    readonly contentType?: string
    readonly form?: Readonly<Record<string, string | readonly string[]>>
  }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: unknown
    readonly 'exp-iat'?: number
  }
}
type RecordedClaims = {
  readonly name: string
  readonly from: string
  readonly header: unknown
  readonly payload: unknown
  readonly 'exp-iat': number
}
type Pairs = (readonly [string, string])[]
/** What a replay does otherwise than the recorded request says. */
type Change = {
  readonly authorization?: string
  readonly host?: string
  readonly raw?: string
  readonly form?: Readonly<Record<string, string>>
}
type Prepare = (undo: (step: () => void | Promise<void>) => void) => Change | Promise<Change>

const LINES = readFileSync(join(import.meta.dirname, '../recorded/keycloak-26.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded | RecordedClaims)
const ANSWERS = LINES.filter((each): each is Recorded => 'request' in each)
const CLAIMS = LINES.filter((each): each is RecordedClaims => 'from' in each)

let cloud: SandboxCloud
const kids = new Map<string, string>()
before(async () => {
  cloud = await startSandboxCloud({ seed: 3, realm: 'cloud', clock: 'frozen' })
  const { keys } = (await (await fetch(`${cloud.issuer}/protocol/openid-connect/certs`)).json()) as { keys: { kid: string; use: string }[] }
  for (const { kid, use } of keys) kids.set(kid, use === 'sig' ? '<kid-1>' : '<kid-2>')
})
after(() => cloud.close())

const bearer = (token: string): string => `Bearer ${token}`
const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
const formEncode = (value: string): string => encodeURIComponent(value).replaceAll('%20', '+')
const ODD = { id: 'odd:service', secret: 'a b+c%d:e&f=ü' }
const as =
  (client: string): Prepare =>
  async () => ({ authorization: bearer(await serviceToken(cloud, client)) })

/** A client that is there for one case. */
function withClient(id: string, settings: Parameters<SandboxCloud['changeClient']>[1], change: Change = {}): Prepare {
  return (undo) => {
    cloud.changeClient(id, { secret: 'tmp-secret', ...settings })
    undo(() => cloud.removeClient(id))
    return change
  }
}

/** A token taken from a client that something then happens to. */
function afterwards(happens: (token: string) => void | Promise<void>): Prepare {
  return async (undo) => {
    cloud.changeClient('vanishing_service', { secret: 'tmp-secret' })
    undo(() => cloud.removeClient('vanishing_service'))
    const token = await serviceToken(cloud, 'vanishing_service')
    await happens(token)
    return { authorization: bearer(token) }
  }
}

async function revoke(token: string): Promise<void> {
  const body = new URLSearchParams({ token, client_id: 'vanishing_service', client_secret: 'tmp-secret' })
  assert.equal((await fetch(`${cloud.issuer}/protocol/openid-connect/revoke`, { method: 'POST', body })).status, 200)
}

async function ticket(): Promise<string> {
  const token = await serviceToken(cloud, 'service_provider_api')
  const granted = await rptPermissions()
  const reply = await fetch(`${cloud.issuer}/authz/protection/permission`, {
    method: 'POST',
    headers: { authorization: bearer(token) },
    body: JSON.stringify([{ resource_id: granted, resource_scopes: ['user:impersonate'] }]),
  })
  return ((await reply.json()) as { ticket: string }).ticket
}

async function rptPermissions(): Promise<string> {
  const { authorization } = decode(await rptFor(cloud, await serviceToken(cloud)))[1] as {
    authorization: { permissions: { rsid: string }[] }
  }
  return authorization.permissions[0]?.rsid ?? ''
}

const notBefore = (undo: (step: () => void) => void, at: number): void => {
  cloud.changeRealm({ notBefore: at })
  undo(() => cloud.changeRealm({ notBefore: 0 }))
}
const out =
  (oauthState: 'starting' | 'overloaded'): Prepare =>
  (undo) => {
    cloud.setKnobs({ oauthState })
    undo(() => cloud.setKnobs({ oauthState: 'up' }))
    return {}
  }
const withTicket =
  (client: string): Prepare =>
  async () => ({ authorization: bearer(await serviceToken(cloud, client)), form: { ticket: await ticket() } })
const wrong = { form: { client_secret: 'wrong' } }

/** A token exchange is of a subject that may be exchanged, unless its name says otherwise. */
async function exchangeOf(name: string): Promise<Change> {
  const own = {
    'tx-ok-own-token': 'exchange_service',
    'tx-not-in-audience': 'kubernetes_cluster_service',
    'tx-not-enabled': 'kubernetes_cluster_service',
  }
  const from = (own as Readonly<Record<string, string>>)[name] ?? 'exchange_subject_service'
  return name === 'tx-subject-token-garbage' ? {} : { form: { subject_token: await serviceToken(cloud, from) } }
}

const SPECIAL: Readonly<Record<string, Prepare>> = {
  'cc-basic-not-encoded': () => ({ authorization: basic(ODD.id, ODD.secret) }),
  'cc-ok-basic': () => ({ authorization: basic('kubernetes_cluster_service', 'kcs-secret') }),
  'cc-ok-basic-form-encoded': () => ({ authorization: basic(formEncode(ODD.id), formEncode(ODD.secret)) }),
  'cc-wrong-secret': () => wrong,
  'cc-wrong-secret-basic': () => ({ authorization: basic('kubernetes_cluster_service', 'wrong') }),
  'cc-json-body': () => ({ raw: '{"grant_type":"client_credentials"}' }),
  'cc-ok-lightweight': withClient('lightweight_service', { lightweight: true }),
  'cc-ok-with-refresh-token': withClient('refreshing_service', { refreshTokens: true }),
  'cc-service-user-missing': withClient('no_user_service', { serviceUser: 'missing' }),
  'cc-new-secret-after-regenerate': withClient('rotating_service', {}),
  'cc-old-secret-after-regenerate': withClient('rotating_service', {}, { form: { client_secret: 'old' } }),
  'cc-ok-rotated-secret': withClient(
    'rotating_service',
    { rotatedSecret: { secret: 'old', untilMs: Infinity } },
    { form: { client_secret: 'old' } },
  ),
  'cc-rotated-secret-expired': withClient(
    'rotating_service',
    { rotatedSecret: { secret: 'old', untilMs: 0 } },
    { form: { client_secret: 'old' } },
  ),
  'cc-ok-secret-after-rotation': withClient('rotating_service', { rotatedSecret: { secret: 'old', untilMs: 0 } }),
  'cc-secret-expired': withClient('rotating_service', { secretExpiresAtMs: 0 }),
  'cc-ok-not-before': (undo) => {
    notBefore(undo, 1_795_320_565)
    return {}
  },
  'cc-ok-new-key': async (undo) => {
    await cloud.rotateKeys()
    undo(() => cloud.rotateKeys({ keep: 'oldest' }))
    return {}
  },
  'jwks-two-keys': async (undo) => {
    await cloud.rotateKeys()
    undo(() => cloud.rotateKeys({ keep: 'oldest' }))
    return {}
  },
  overload: out('overloaded'),
  'server-starting': out('starting'),
  'uma-bearer-bad-signature': async () => ({ authorization: bearer(`${(await serviceToken(cloud)).slice(0, -8)}AAAAAAAA`) }),
  'uma-bearer-other-host': async () => ({
    authorization: bearer(await serviceToken(cloud)),
    host: `oauth.localhost:${new URL(cloud.oauthUrl).port}`,
  }),
  'uma-bearer-lower-case-scheme': async () => ({ authorization: `bearer ${await serviceToken(cloud)}` }),
  'uma-bearer-is-rpt': async () => ({ authorization: bearer(await rptFor(cloud, await serviceToken(cloud))) }),
  'uma-ok-upgraded': async () => {
    const token = await serviceToken(cloud)
    return { authorization: bearer(token), form: { rpt: await rptFor(cloud, token) } }
  },
  'uma-denied-rpt': async () => {
    const token = await serviceToken(cloud)
    return { authorization: bearer(token), form: { rpt: await rptFor(cloud, token) } }
  },
  'uma-bearer-expired': async () => {
    const token = await serviceToken(cloud, 'short_lived_service')
    cloud.clock.advance(2000)
    return { authorization: bearer(token) }
  },
  'userinfo-bearer-expired': async () => {
    const token = await serviceToken(cloud, 'short_lived_service')
    cloud.clock.advance(2000)
    return { authorization: bearer(token) }
  },
  'uma-ok-short': async () => {
    // Times in tokens are whole seconds: from the middle of one, 1.1 s may be all of a life of 2 s.
    cloud.clock.advance(1000 - (cloud.clock.now() % 1000))
    const token = await serviceToken(cloud, 'short_lived_service')
    cloud.clock.advance(1100)
    return { authorization: bearer(token) }
  },
  'uma-bearer-client-deleted': afterwards(() => cloud.removeClient('vanishing_service')),
  'uma-bearer-client-disabled': afterwards(() => cloud.changeClient('vanishing_service', { enabled: false })),
  'uma-bearer-user-disabled': afterwards(() => cloud.changeClient('vanishing_service', { serviceUser: 'disabled' })),
  'uma-bearer-revoked': afterwards(revoke),
  'uma-bearer-from-before-regenerate': afterwards(() => cloud.changeClient('vanishing_service', { secret: 'next' })),
  'uma-bearer-not-before': async (undo) => {
    const token = await serviceToken(cloud)
    notBefore(undo, Math.floor(cloud.clock.now() / 1000) + 2)
    return { authorization: bearer(token) }
  },
  'uma-bearer-old-key': async (undo) => {
    const token = await serviceToken(cloud, 'untrusted_service')
    await cloud.rotateKeys()
    undo(() => cloud.rotateKeys({ keep: 'oldest' }))
    return { authorization: bearer(token) }
  },
  'uma-bearer-removed-key': async () => {
    await cloud.rotateKeys()
    const token = await serviceToken(cloud, 'untrusted_service')
    await cloud.rotateKeys({ keep: 'oldest' })
    return { authorization: bearer(token) }
  },
  'uma-client-authentication-wrong-secret': () => wrong,
  'uma-denied': as('untrusted_service'),
  'uma-denied-decision': as('untrusted_service'),
  'uma-denied-no-submit': as('untrusted_service'),
  'uma-denied-permission': as('untrusted_service'),
  'uma-ok-ticket': withTicket('kubernetes_cluster_service'),
  'uma-denied-ticket': withTicket('untrusted_service'),
  'uma-denied-ticket-no-submit': withTicket('untrusted_service'),
}

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: unknown }

async function replay({ name, request }: Recorded, undo: Parameters<Prepare>[0]): Promise<Answer> {
  const change = (await SPECIAL[name]?.(undo)) ?? (name.startsWith('tx-') ? await exchangeOf(name) : {})
  const { method, path, contentType } = request
  const recorded = request.authorization === 'Bearer <jwt>' ? bearer(await serviceToken(cloud)) : request.authorization
  const authorization = change.authorization ?? recorded
  const body = change.raw ?? (request.form === undefined ? undefined : formBody({ form: request.form, over: change.form }))
  return send(method, path, {
    body,
    headers: {
      ...(body !== undefined && { 'Content-Type': contentType ?? 'application/x-www-form-urlencoded' }),
      ...(authorization !== undefined && { Authorization: authorization }),
      ...(change.host !== undefined && { Host: change.host }),
    },
  })
}

function formBody({ form, over }: { form: Recorded['request']['form']; over: Readonly<Record<string, string>> | undefined }): string {
  const pairs: Pairs = []
  for (const [key, value] of Object.entries(form ?? {})) {
    for (const each of [value].flat()) {
      const id = [form?.['client_id']].flat()[0] ?? ''
      const secret = cloud.clients.find((client) => client.id === id)?.secret ?? 'no-such-secret'
      pairs.push([key, over?.[key] ?? (each === '<secret>' ? secret : each)])
    }
  }
  return new URLSearchParams(pairs as [string, string][]).toString()
}

function send(
  method: string,
  path: string,
  { headers, body }: { headers: Record<string, string>; body: string | undefined },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const collect = async (reply: IncomingMessage): Promise<void> => {
    const got = await text(reply)
    const names: Record<string, string> = {}
    for (let index = 0; index < reply.rawHeaders.length; index += 2)
      names[reply.rawHeaders[index] ?? ''] = reply.rawHeaders[index + 1] ?? ''
    resolve({ status: reply.statusCode ?? 0, headers: names, body: parsed(got) })
  }
  const request = httpRequest(cloud.oauthUrl + path, { method, headers, agent: false }, (reply) => void collect(reply).catch(reject))
  request.on('error', reject)
  request.end(body)
  return promise
}

function parsed(got: string): unknown {
  try {
    return JSON.parse(got)
  } catch {
    return got
  }
}

const HIDDEN: Readonly<Record<string, unknown>> = {
  sid: '<id>',
  session_state: '<id>',
  n: '<modulus>',
  x5c: ['<certificate>'],
  x5t: '<hash>',
  'x5t#S256': '<hash>',
}

/** Without what differs from run to run, as the recordings were cleaned. */
function cleaned(value: unknown): unknown {
  const shown = JSON.stringify(value, (key, each: unknown) => {
    if (key in HIDDEN) return HIDDEN[key]
    return key === 'kid' ? (kids.get(String(each)) ?? '<kid-3>') : each
  })
  return JSON.parse(
    shown
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, '<jwt>')
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
      .replaceAll(cloud.oauthUrl, '<base>'),
  )
}

const decode = (token: string): Record<string, unknown>[] =>
  token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)

async function whole(recorded: Recorded, check: (answer: Answer) => void): Promise<void> {
  const steps: (() => void | Promise<void>)[] = []
  try {
    check(await replay(recorded, (step) => void steps.push(step)))
  } finally {
    for (const step of steps.toReversed()) await step()
  }
}

for (const recorded of ANSWERS) {
  test(`startSandboxCloud() answers as Keycloak does: ${recorded.name}`, async () => {
    await whole(recorded, (answer) => {
      const { 'Content-Length': _length, Connection: _connection, Date: _date, 'Keep-Alive': _alive, ...headers } = answer.headers
      const { response } = recorded
      assert.equal(answer.status, response.status)
      assert.deepEqual(headers, response.headers)
      assert.deepEqual(cleaned(answer.body), response.body)
      const { access_token: token } = Object(answer.body) as { access_token?: string }
      assert.equal(token !== undefined, response['exp-iat'] !== undefined)
      if (token === undefined) return
      const [, claims] = decode(token)
      assert.equal(Number(claims?.['exp']) - Number(claims?.['iat']), response['exp-iat'])
    })
  })
}

for (const recorded of CLAIMS) {
  test(`startSandboxCloud() puts into a token what Keycloak does: ${recorded.name}`, async () => {
    const from = ANSWERS.find(({ name }) => name === recorded.from)
    assert.ok(from)
    await whole(from, (answer) => {
      const [header, payload] = decode((answer.body as { access_token: string }).access_token)
      assert.deepEqual(cleaned(header), recorded.header)
      assert.deepEqual(cleaned({ ...payload, exp: '<exp>', iat: '<iat>' }), recorded.payload)
      assert.deepEqual(Object.keys(payload ?? {}), Object.keys(recorded.payload as object), 'the order of claims')
    })
  })
}

test('every recorded answer is replayed: 113 of them, and the claims of five tokens', () => {
  assert.deepEqual([ANSWERS.length, CLAIMS.length, new Set(LINES.map(({ name }) => name)).size], [113, 5, 118])
  for (const name of Object.keys(SPECIAL))
    assert.ok(
      ANSWERS.some((each) => each.name === name),
      `${name} is no recorded answer`,
    )
})
