import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTeleport } from '../src/teleport.ts'
import type { SandboxTeleport, TeleportApp, TeleportOptions } from '../src/teleport.ts'
import { ask, startEchoApp } from './echo-app.ts'
import type { Echo } from './echo-app.ts'
import { decode, signersOf } from './verify-jwt.ts'

// The facts that billing-view.md 5.1 states of Teleport, row by row: the sandbox is worth as much as it keeps to them.

const OLGA = 'olga@ops.example'

async function proxied(app: Partial<TeleportApp> = {}, options: Partial<TeleportOptions> = {}) {
  const stack = new AsyncDisposableStack()
  const echo = stack.use(await startEchoApp())
  const teleport = stack.use(
    await startTeleport({ ...options, apps: [{ name: 'api', uri: echo.url, publicAddr: 'api.teleport.localhost', ...app }] }),
  )
  const owned = stack.move()
  return { echo, teleport, url: teleport.appUrl('api'), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function echoed(teleport: SandboxTeleport, path = '/', headers: Readonly<Record<string, string>> = {}): Promise<Echo> {
  const { cookie } = teleport.signIn(OLGA, { app: 'api' })
  const answer = await ask(teleport.appUrl('api') + path, { headers: { cookie, ...headers } })
  assert.equal(answer.status, 200)
  return JSON.parse(answer.text) as Echo
}

function assertionIn(echo: Echo): string {
  const value = echo.headers['teleport-jwt-assertion']
  assert.ok(typeof value === 'string')
  return value
}

test('assertion: RS256, signed by a key of the JWKS, with the claims of a cluster, an app and a user', async () => {
  await using site = await proxied()
  const { teleport, echo } = site
  const before = Math.floor(Date.now() / 1000)
  const token = assertionIn(await echoed(teleport))
  const { header, claims } = decode(token)
  const [signer, ...others] = await signersOf(token, teleport.jwksUrl)
  assert.deepEqual(header, { alg: 'RS256', typ: 'JWT', kid: signer?.['kid'] })
  assert.deepEqual(others, [])
  const { iat, exp, nbf, ...rest } = claims
  assert.deepEqual(rest, {
    iss: 'teleport.localhost',
    // The app's internal address, not the one that browsers know.
    aud: [echo.url],
    sub: OLGA,
    username: OLGA,
    roles: ['access', 'billing-viewer'],
    traits: { logins: ['olga'], teams: ['support'] },
  })
  assert.equal(Number(iat) - Number(nbf), 10)
  assert.ok(Number(iat) >= before && Number(iat) <= before + 5)
  // The end of the session, hours away; not of the token.
  const ends = teleport.sessions.map(({ expiresAt }) => Math.floor(expiresAt / 1000))
  assert.ok(ends.includes(Number(exp)))
  assert.equal(claims['jti'], undefined)
})

for (const [jwtClaims, hasRoles, hasTraits] of [
  ['roles-and-traits', true, true],
  ['roles', true, false],
  ['traits', false, true],
  ['none', false, false],
] as const) {
  test(`assertion: jwt_claims ${jwtClaims} decides what is said of the user`, async () => {
    await using site = await proxied({ jwtClaims })
    const { claims } = decode(assertionIn(await echoed(site.teleport)))
    // Teleport writes null, not an empty list: whoever checks roles must fail closed on it.
    assert.deepEqual([claims['roles'] !== null, claims['traits'] !== null], [hasRoles, hasTraits])
  })
}

test('assertion: one for each piece of the recording, five minutes long; the end stays that of the session', async () => {
  let now = Date.now()
  await using site = await proxied({}, { clock: () => now })
  const { teleport, url } = site
  const { cookie } = teleport.signIn(OLGA, { app: 'api' })
  const tokens: string[] = []
  for (const later of [0, 299_000, 2_000]) {
    now += later
    tokens.push(assertionIn(JSON.parse((await ask(url, { headers: { cookie } })).text) as Echo))
  }
  assert.equal(tokens[0], tokens[1])
  assert.notEqual(tokens[1], tokens[2])
  const [first, third] = [decode(tokens[0] ?? '').claims, decode(tokens[2] ?? '').claims]
  assert.equal(first['exp'], third['exp'])
  assert.equal(Number(third['iat']) - Number(first['iat']), 301)
})

test('jwks: lists old and new during a rotation, and old tokens until the old key is dropped', async () => {
  await using site = await proxied()
  const { teleport } = site
  const old = teleport.assertion(OLGA, { app: 'api' })
  await teleport.rotateKeys()
  const young = teleport.assertion(OLGA, { app: 'api' })
  assert.notEqual(decode(old).header['kid'], decode(young).header['kid'])
  assert.equal((await signersOf(old, teleport.jwksUrl)).length, 1)
  assert.equal((await signersOf(young, teleport.jwksUrl)).length, 1)
  teleport.dropOldKeys()
  assert.equal((await signersOf(old, teleport.jwksUrl)).length, 0)
  assert.equal((await signersOf(young, teleport.jwksUrl)).length, 1)
})

test('jwks: without key ids, as older clusters have it, two keys cannot be told apart but by trying', async () => {
  await using site = await proxied({}, { faults: { noKid: true } })
  const { teleport } = site
  await teleport.rotateKeys()
  const token = teleport.assertion(OLGA, { app: 'api' })
  assert.equal(decode(token).header['kid'], undefined)
  const { keys } = (await (await fetch(teleport.jwksUrl)).json()) as { keys: readonly Record<string, string>[] }
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [undefined, undefined],
  )
  assert.equal((await signersOf(token, teleport.jwksUrl)).length, 1)
})

test('headers: a client cannot bring its own assertion, nor anything else that only Teleport says', async () => {
  await using site = await proxied({}, { legacyHeader: true })
  const echo = await echoed(site.teleport, '/', {
    'teleport-jwt-assertion': 'forged',
    'Cf-Access-Token': 'forged',
    'X-Teleport-Roles': 'forged',
    'X-Forwarded-User': 'forged',
    'X-Forwarded-For': '203.0.113.9',
    'X-Other': 'kept',
    Authorization: 'Bearer kept',
  })
  assert.equal(JSON.stringify(echo).includes('forged'), false)
  assert.equal(echo.headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(echo.headers['x-other'], 'kept')
  assert.equal(echo.headers.authorization, 'Bearer kept')
  // Older servers send the same token twice: the reason for which apps answer 431.
  assert.equal(echo.headers['cf-access-token'], assertionIn(echo))
})

test('headers: Connection takes away what it names of the client, and cannot take away what Teleport adds', async () => {
  await using site = await proxied({ headers: [{ name: 'X-Materialize-User', value: 'mz_support' }] })
  const echo = await echoed(site.teleport, '/', {
    connection: 'close, X-Hop, Teleport-Jwt-Assertion, X-Materialize-User',
    'X-Hop': '1',
    'X-Materialize-User': 'mz_system',
  })
  assert.ok(assertionIn(echo).length > 100)
  assert.equal(echo.headers['x-hop'], undefined)
  assert.equal(echo.headers['x-materialize-user'], 'mz_support')
})

test('headers: a rewrite replaces what the client sent, and cannot touch what is reserved', async () => {
  await using site = await proxied({
    headers: [
      { name: 'X-Materialize-User', value: 'mz_support' },
      { name: 'Authorization', value: 'Bearer {{internal.jwt}}' },
      { name: 'Teleport-Jwt-Assertion', value: 'forged' },
      { name: 'X-Forwarded-Host', value: 'forged' },
    ],
  })
  const echo = await echoed(site.teleport, '/', { 'x-materialize-user': 'mz_system' })
  assert.equal(echo.headers['x-materialize-user'], 'mz_support')
  assert.equal(echo.headers.authorization, `Bearer ${assertionIn(echo)}`)
  assert.equal(JSON.stringify(echo).includes('forged'), false)
  assert.equal(echo.headers['x-forwarded-host'], new URL(site.url).host)
})

test('cookies: its own do not reach the app, those of the app do', async () => {
  await using site = await proxied()
  const { cookie } = site.teleport.signIn(OLGA, { app: 'api' })
  const { text } = await ask(site.url, { headers: { cookie: `theirs=1; ${cookie}; more=2` } })
  assert.equal((JSON.parse(text) as Echo).headers.cookie, 'theirs=1; more=2')
})

test('session: none, an expired one, one without its subject, one of another app: each is sent to the launcher without CORS headers', async () => {
  let now = Date.now()
  await using site = await proxied({}, { clock: () => now })
  const { teleport, url, echo } = site
  teleport.addApp({ name: 'other', uri: echo.url, publicAddr: 'other.teleport.localhost' })
  const good = teleport.signIn(OLGA, { app: 'api' }).cookie
  const [session = '', subject = ''] = good.split('; ')
  const short = teleport.signIn(OLGA, { app: 'api', ttlMs: 1000 }).cookie
  now += 1000
  const refused = [undefined, short, session, subject, `${session}; ${subject}0`, teleport.signIn(OLGA, { app: 'other' }).cookie]
  for (const cookie of refused) {
    const answer = await ask(`${url}/api/credits?a=1&b=2`, {
      headers: { origin: 'http://console.example', ...(cookie !== undefined && { cookie }) },
    })
    assert.equal(answer.status, 302)
    assert.equal(answer.headers.location, `${teleport.url}/web/launch/api.teleport.localhost?path=%2Fapi%2Fcredits&query=a%3D1%26b%3D2`)
    assert.deepEqual(
      Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
      [],
    )
  }
  assert.equal(echo.seen.length, 0)
  assert.equal((await ask(url, { headers: { cookie: good } })).status, 200)
})

test('session: /teleport-logout ends it, and so does the control endpoint', async () => {
  await using site = await proxied()
  const { teleport, url } = site
  const first = teleport.signIn(OLGA, { app: 'api' }).cookie
  const out = await ask(`${url}/teleport-logout`, { headers: { cookie: first } })
  assert.deepEqual([out.status, out.text], [200, 'Logged out.\n'])
  assert.equal(out.cookies.length, 2)
  assert.ok(out.cookies.every((each) => each.includes('Max-Age=0')))
  assert.equal((await ask(url, { headers: { cookie: first } })).status, 302)
  assert.equal((await ask(`${url}/teleport-logout`, { headers: { cookie: first } })).status, 403)
  const second = teleport.signIn(OLGA, { app: 'api' })
  const end = await ask(`${teleport.url}/sandbox/sessions/end`, { method: 'POST', body: JSON.stringify({ sid: second.sid }) })
  assert.deepEqual(JSON.parse(end.text), { ended: 1 })
  assert.equal((await ask(url, { headers: { cookie: second.cookie } })).status, 302)
})

test('hosts: names that merely look like an app get nothing', async () => {
  await using site = await proxied()
  const { teleport } = site
  for (const host of ['api.teleport.localhost.evil.example', 'evil.example', 'xapi.teleport.localhost', 'api-teleport-localhost'])
    assert.equal((await ask(teleport.jwksUrl, { headers: { host } })).status, 404, host)
  assert.equal(site.echo.seen.length, 0)
})
