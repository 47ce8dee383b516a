import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTeleportApp, startTeleport } from '../src/teleport.ts'
import type { SandboxTeleport, TeleportApp, TeleportOptions } from '../src/teleport.ts'
import { ask, cookieHeader, startEchoApp } from './echo-app.ts'
import type { Answer } from './echo-app.ts'
import { decode, signersOf } from './verify-jwt.ts'

// How a browser gets in, what a preflight gets, and what is written down: billing-view.md 5.1.

const [OLGA, NORA] = ['olga@ops.example', 'nora@ops.example']
const CORS = {
  allowedOrigins: ['http://console.teleport.localhost'],
  allowedMethods: ['GET', 'POST'],
  allowedHeaders: ['X-Materialize-Organization-Id'],
  exposedHeaders: ['X-Request-Id'],
  allowCredentials: true,
  maxAgeS: 600,
}

async function site(apps: readonly Partial<TeleportApp>[], options: Partial<TeleportOptions> = {}) {
  const stack = new AsyncDisposableStack()
  const echo = stack.use(await startEchoApp())
  const whole = apps.map((app) => ({ name: 'api', uri: echo.url, publicAddr: `${app.name ?? 'api'}.teleport.localhost`, ...app }))
  const teleport = stack.use(await startTeleport({ ...options, apps: whole }))
  const owned = stack.move()
  return { echo, teleport, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Signs in at the login page; gives the cookie of the proxy. */
async function login(teleport: SandboxTeleport, user: string): Promise<string> {
  const body = new URLSearchParams({ user, redirect_uri: '/web/launch/api.teleport.localhost?path=%2F' }).toString()
  const answer = await ask(`${teleport.url}/web/login`, { method: 'POST', body })
  assert.equal(answer.headers.location, '/web/launch/api.teleport.localhost?path=%2F')
  return cookieHeader(answer.cookies)
}

type Launched = { readonly answer: Answer; readonly page: URL; readonly states: string }

/** From a launch address to the page that holds the session in its fragment, as a browser would follow. */
async function launch(url: string, cookie: string): Promise<Launched> {
  const begun = await ask(url, { headers: { cookie } })
  if (begun.headers.location?.startsWith('/web/launch/') === true) return launch(new URL(begun.headers.location, url).href, cookie)
  assert.equal(begun.status, 302, begun.text)
  const started = await ask(begun.headers.location ?? '')
  const back = await ask(started.headers.location ?? '', { headers: { cookie } })
  const page = new URL(back.headers.location ?? '')
  return { answer: await ask(page.href), page, states: cookieHeader(started.cookies) }
}

/** What the script on that page sends. */
function hand(page: URL, states: string, change: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const handed = {
    state_value: page.searchParams.get('state'),
    cookie_value: new URLSearchParams(page.hash.slice(1)).get('value'),
    subject_cookie_value: page.searchParams.get('subject'),
    ...change,
  }
  return ask(new URL('/x-teleport-auth', page).href, { method: 'POST', body: JSON.stringify(handed), headers: { cookie: states } })
}

test('launch: from a deep link over login, launcher and exchange to cookies of the app, path and query kept', async () => {
  await using on = await site([{}])
  const { teleport } = on
  const refused = await ask(`${teleport.appUrl('api')}/redirect?to=http%3A%2F%2Fx%2F`)
  const toLogin = await ask(refused.headers.location ?? '')
  assert.match(toLogin.headers.location ?? '', /^\/web\/login\?redirect_uri=%2Fweb%2Flaunch%2Fapi\.teleport\.localhost/)
  const { answer, page, states } = await launch(refused.headers.location ?? '', await login(teleport, OLGA))
  assert.equal(page.searchParams.get('path'), '/redirect?to=http%3A%2F%2Fx%2F')
  assert.match(String(answer.headers['content-security-policy']), /script-src 'nonce-/)
  const done = await hand(page, states)
  assert.equal(done.status, 200)
  const sets = done.cookies.filter((each) => !each.includes('Max-Age=0'))
  assert.deepEqual(
    sets.map((each) => each.replace(/=[0-9a-f]{64};/, '=…;')),
    [
      '__Host-grv_app_session=…; Path=/; HttpOnly; Secure; SameSite=None',
      '__Host-grv_app_session_subject=…; Path=/; HttpOnly; Secure; SameSite=None',
    ],
  )
  assert.equal((await ask(teleport.appUrl('api'), { headers: { cookie: cookieHeader(sets) } })).status, 200)
})

test('launch: the state cookie lives for a minute, is good once, and nobody ends what another browser began', async () => {
  await using on = await site([{}])
  const { teleport } = on
  const cookie = await login(teleport, OLGA)
  const start = `${teleport.url}/web/launch/api.teleport.localhost?path=%2F`
  const started = await ask((await ask(start, { headers: { cookie } })).headers.location ?? '')
  assert.match(
    started.cookies[0] ?? '',
    /^__Host-grv_app_auth_state_[0-9a-f]{64}=[0-9a-f]{64}; Path=\/; Max-Age=60; HttpOnly; Secure; SameSite=None$/,
  )
  for (const [change, states] of [
    [{}, ''],
    [{ state_value: 'a_b' }, undefined],
    [{ subject_cookie_value: 'other' }, undefined],
    [{ cookie_value: 'other' }, undefined],
  ] as const) {
    const launched = await launch(start, cookie)
    assert.equal((await hand(launched.page, states ?? launched.states, change)).status, 403)
  }
  const { page, states } = await launch(start, cookie)
  assert.equal((await hand(page, states)).status, 200)
})

test('launch: required apps are signed in to first, each by its own rules, and the one that was asked for comes last', async () => {
  await using on = await site([
    { name: 'api', roles: ['billing-viewer'] },
    { name: 'console', requiredApps: ['api'] },
  ])
  const { teleport } = on
  const wanted = `${teleport.url}/web/launch/console.teleport.localhost?path=%2Finternal-console%2F`
  const first = await launch(wanted, await login(teleport, OLGA))
  assert.equal(first.page.host, new URL(teleport.appUrl('api')).host)
  assert.equal(first.page.searchParams.get('required-apps'), 'api.teleport.localhost,console.teleport.localhost')
  assert.equal(first.page.searchParams.get('path'), '/internal-console/')
  // Who may not use the required app does not get further.
  const denied = await ask(wanted, { headers: { cookie: await login(teleport, NORA) } })
  const then = await ask(new URL(denied.headers.location ?? '', teleport.url).href, { headers: { cookie: await login(teleport, NORA) } })
  assert.equal(then.status, 403)
})

test('login: sends nobody to another site', async () => {
  await using on = await site([{}])
  for (const redirect of [
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '/web/launch/\\evil.example',
    'javascript:alert(1)',
    '',
  ]) {
    const body = new URLSearchParams({ user: OLGA, redirect_uri: redirect }).toString()
    const answer = await ask(`${on.teleport.url}/web/login`, { method: 'POST', body })
    assert.equal(answer.headers.location, '/web/login', redirect)
  }
})

test('preflight: an app without cors, and any app of before, gets a redirect that no browser takes for an answer; nothing is forwarded', async () => {
  await using plain = await site([{}])
  await using old = await site([{ cors: CORS }], { preflights: 'old' })
  for (const { teleport, echo } of [plain, old]) {
    const answer = await ask(teleport.appUrl('api'), { method: 'OPTIONS', headers: { origin: CORS.allowedOrigins[0] ?? '' } })
    assert.equal(answer.status, 302)
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
    assert.equal(echo.seen.length, 0)
  }
})

test('preflight: with cors Teleport answers it itself, and adds nothing to real replies', async () => {
  await using on = await site([{ cors: CORS }])
  const { teleport, echo } = on
  const [origin = ''] = CORS.allowedOrigins
  const answer = await ask(teleport.appUrl('api'), { method: 'OPTIONS', headers: { origin } })
  assert.equal(answer.status, 204)
  const said = Object.entries(answer.headers).filter(([name]) => name.startsWith('access-control'))
  assert.deepEqual(Object.fromEntries(said), {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'X-Materialize-Organization-Id',
    'access-control-expose-headers': 'X-Request-Id',
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '600',
  })
  const foreign = await ask(teleport.appUrl('api'), { method: 'OPTIONS', headers: { origin: 'https://evil.example' } })
  assert.equal(foreign.headers['access-control-allow-origin'], undefined)
  assert.equal(echo.seen.length, 0)
  const { cookie } = teleport.signIn(OLGA, { app: 'api' })
  const real = await ask(teleport.appUrl('api'), { headers: { origin, cookie } })
  assert.equal(real.status, 200)
  assert.deepEqual(
    Object.keys(real.headers).filter((name) => name.startsWith('access-control')),
    [],
  )
})

test('recording: the log names user and session, the recording holds the requests, and neither says whose bill it was', async () => {
  let now = Date.now()
  await using on = await site([{}], { clock: () => now })
  const { teleport, echo } = on
  const organization = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
  const { cookie, sid } = teleport.signIn(OLGA, { app: 'api' })
  const headers = { cookie, accept: organization }
  await ask(`${teleport.appUrl('api')}/api/costs/daily?startDate=2026-11-01&endDate=2026-11-02`, { headers })
  await ask(`${teleport.appUrl('api')}/missing`, { headers })
  now += 300_000
  await ask(`${teleport.appUrl('api')}/api/credits`, { headers })
  teleport.endSessions({ id: sid })
  const { events } = teleport
  assert.deepEqual(
    events.map(({ event, code }) => [event, code]),
    [
      ['app.session.start', 'T2007I'],
      ['app.session.chunk', 'T2008I'],
      ['app.session.chunk', 'T2008I'],
      ['app.session.end', 'T2011I'],
    ],
  )
  for (const event of events) {
    const { user, app_name: app, app_uri: uri, app_public_addr: address, sid: session } = event
    assert.deepEqual([user, app, uri, address, session], [OLGA, 'api', echo.url, 'api.teleport.localhost', sid])
  }
  const chunks = events.flatMap(({ session_chunk_id: id }) => (typeof id === 'string' ? [id] : []))
  const recordings = chunks.map((id) => teleport.recording(id) ?? [])
  const requests = recordings.map((each) =>
    each.map((event) => [event.event, event.code, event['method'], event['path'], event['raw_query'], event['status_code']]),
  )
  assert.deepEqual(requests, [
    [
      ['app.session.request', 'T2009I', 'GET', '/api/costs/daily', 'startDate=2026-11-01&endDate=2026-11-02', 200],
      ['app.session.request', 'T2009I', 'GET', '/missing', '', 404],
    ],
    [['app.session.request', 'T2009I', 'GET', '/api/credits', '', 200]],
  ])
  assert.equal(JSON.stringify([events, recordings]).includes(organization), false)
  // session_chunk_id never reaches the app: the join is by user, app, path, status and time.
  assert.equal(JSON.stringify(echo.seen).includes(chunks[0] ?? ''), false)
  const played = await ask(`${teleport.url}/sandbox/recordings/${chunks[0]}`)
  assert.deepEqual(JSON.parse(played.text), recordings[0])
})

test('faults: each makes the assertion that it promises', async () => {
  await using on = await site([{}])
  const { teleport, echo } = on
  const now = Date.now() / 1000
  const made = (faults: Parameters<SandboxTeleport['setFaults']>[0]) => teleport.assertion(OLGA, { app: 'api', faults })
  assert.ok(Number(decode(made({ expired: true })).claims['exp']) < now - 3000)
  assert.notDeepEqual(decode(made({ wrongAudience: true })).claims['aud'], [echo.url])
  assert.notEqual(decode(made({ wrongIssuer: true })).claims['iss'], teleport.issuer)
  assert.equal(decode(made({ noRoles: true })).claims['roles'], null)
  assert.notEqual(decode(made({ wrongSubject: true })).claims['sub'], OLGA)
  assert.ok(Number(decode(made({ clockSkewMs: 3_600_000 })).claims['nbf']) > now + 3000)
  assert.ok(made({ traitBytes: 40_000 }).length > 50_000)
  const forged = made({ wrongKey: true })
  assert.equal(decode(forged).header['kid'], decode(made({})).header['kid'])
  assert.equal((await signersOf(forged, teleport.jwksUrl)).length, 0)
  assert.equal(decode(made({ algorithm: 'none' })).header['alg'], 'none')
  assert.equal(decode(made({ algorithm: 'HS256' })).header['alg'], 'HS256')
  for (const [faults, count] of [
    [{ twice: true }, 2],
    [{ noAssertion: true }, 0],
    [{ traitBytes: 40_000 }, 1],
  ] as const) {
    const put = await ask(`${teleport.url}/sandbox/faults`, { method: 'PUT', body: JSON.stringify(faults) })
    assert.equal(put.status, 200)
    const { cookie } = teleport.signIn(OLGA, { app: 'api' })
    await ask(teleport.appUrl('api'), { headers: { cookie } })
    const names = echo.seen.at(-1)?.rawHeaders.filter((name) => name.toLowerCase() === 'teleport-jwt-assertion')
    assert.equal(names?.length, count)
  }
  const mistyped = await ask(`${teleport.url}/sandbox/faults`, { method: 'PUT', body: '{"expird":true}' })
  assert.equal(mistyped.status, 400)
})

test('control: pages of other origins cannot sign in as anybody', async () => {
  await using on = await site([{}])
  const body = JSON.stringify({ user: OLGA, app: 'api' })
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }])
    assert.equal((await ask(`${on.teleport.url}/sandbox/sessions`, { method: 'POST', headers, body })).status, 403)
  assert.equal((await ask(`${on.teleport.url}/sandbox/sessions`, { method: 'POST', body })).status, 200)
})

test('seen: tells preflights from the rest', async () => {
  await using on = await site([{}])
  await ask(on.teleport.appUrl('api'), { method: 'OPTIONS', headers: { origin: 'http://a.example' } })
  const { cookie } = on.teleport.signIn(OLGA, { app: 'api' })
  await ask(on.teleport.appUrl('api'), { headers: { cookie } })
  assert.deepEqual(
    on.teleport.seen.map(({ method, host, outcome }) => [method, host, outcome]),
    [
      ['OPTIONS', 'api.teleport.localhost', 'launched'],
      ['GET', 'api.teleport.localhost', 'forwarded'],
    ],
  )
})

test('parseTeleportApp() reads what tctl takes, and refuses what it does not', () => {
  const spec = {
    uri: 'http://127.0.0.1:1',
    public_addr: 'api.example.com',
    rewrite: { headers: ['X-A: b:c'], jwt_claims: 'roles' },
    required_app_names: ['other'],
    cors: { allowed_origins: ['https://a'], allow_credentials: true, max_age: 5 },
  }
  const app = parseTeleportApp({ kind: 'app', version: 'v3', metadata: { name: 'api' }, spec })
  assert.deepEqual([app.jwtClaims, app.headers, app.requiredApps], ['roles', [{ name: 'X-A', value: 'b:c' }], ['other']])
  assert.deepEqual([app.cors?.allowedOrigins, app.cors?.allowCredentials, app.cors?.maxAgeS], [['https://a'], true, 5])
  for (const bad of [
    { ...spec, uri: 3 },
    { ...spec, rewrite: { jwt_claims: 'all' } },
    { ...spec, rewrite: { headers: ['no colon'] } },
    { ...spec, cors: 1 },
  ])
    assert.throws(() => parseTeleportApp({ kind: 'app', metadata: { name: 'api' }, spec: bad }), { code: 'INPUT_INVALID' })
})

test('hosts: one app may stand for all environments, each launched at its own host', async () => {
  await using on = await site([{ name: 'environments', publicAddr: 'aws-us-east-1-*-0.teleport.localhost' }])
  const { teleport } = on
  const host = (id: string): string => new URL(teleport.url.replace('teleport.localhost', `aws-us-east-1-${id}-0.teleport.localhost`)).href
  const { page } = await launch((await ask(host('t2frxsh2bbehbiq7ekwadtbyba'))).headers.location ?? '', await login(teleport, OLGA))
  assert.equal(page.hostname, 'aws-us-east-1-t2frxsh2bbehbiq7ekwadtbyba-0.teleport.localhost')
  for (const id of ['', 'a.b', 'a-b']) assert.equal((await ask(host(id))).status, 404, id)
})
