import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Me } from '@ascribe/contract/login'
import { Browser } from './browser.ts'
import type { Page } from './browser.ts'
import { startRig } from './login-support.ts'
import type { LoginRig } from './login-support.ts'
import { createKey } from './support.ts'

let rig: LoginRig
before(async () => {
  rig = await startRig()
})
after(() => rig[Symbol.asyncDispose]())

const me = ({ text }: Page): Me => JSON.parse(text) as Me
const code = ({ text }: Page): string => (JSON.parse(text) as { code: string }).code
const sessionOf = (browser: Browser): string | undefined => browser.cookies.get(new URL(rig.url).host)?.get('ascribe_session')
const statement = (id: string): string => `${rig.url}/v1/organizations/${id}/statement?month=2026-03`

test('login: a browser signs in and comes back to the path it asked for, as the user of the token', async () => {
  const { page } = await rig.signIn('ada')
  assert.equal(page.url.href, `${rig.url}/v1/me`)
  const { endsAt, id, email, ...rest } = me(page)
  assert.ok(id !== '' && email !== undefined && endsAt !== undefined)
  assert.deepEqual(rest, {
    kind: 'user',
    name: 'Ada Demo',
    organizationId: rig.acme,
    role: 'admin',
    organizations: [{ id: rig.acme, name: 'Acme', role: 'admin' }],
    via: 'cookie',
  })
})

test('login: the cookie reads the own organization, on every process of the API, and no other', async () => {
  const { browser } = await rig.signIn('vic')
  assert.equal((await browser.send(statement(rig.acme))).status, 200)
  assert.equal((await browser.send(statement(rig.beta))).status, 404)
  const cookie = `ascribe_session=${sessionOf(browser) ?? ''}`
  const elsewhere = await new Browser().send(`${rig.otherUrl}/v1/me`, { headers: { cookie } })
  assert.deepEqual([me(elsewhere).organizationId, me(elsewhere).role], [rig.acme, 'viewer'])
})

test('login: cookies are HttpOnly and SameSite=Lax, and hold no token', async () => {
  const { browser } = await rig.signIn('ada')
  const sets = browser.set.filter((set) => set.startsWith('ascribe_'))
  assert.ok(sets.length >= 3)
  for (const set of sets) assert.match(set, /; Path=\/; HttpOnly; SameSite=Lax/)
  assert.match(sessionOf(browser) ?? '', /^[\w-]{43}$/)
  for (const set of sets) assert.ok(!/eyJ|Domain=/i.test(set))
})

test('login: what is stored is a hash and sealed: neither cookie nor token nor name is in the database', async () => {
  const { browser } = await rig.signIn('ada')
  const { rows } = await rig.db.query<{ row: string }>("select w::text || encode(sealed, 'escape') as row from web_session w")
  assert.ok(rows.length > 0)
  for (const { row } of rows) assert.ok(!row.includes('eyJ') && !row.includes('Ada') && !row.includes(sessionOf(browser) ?? '-'))
})

test('login: every sign-in begins a new session and ends the one that the browser brought', async () => {
  const { browser } = await rig.signIn('ada')
  const first = sessionOf(browser) ?? ''
  // An attacker's value, which he knows (fixation).
  const planted = 'A'.repeat(43)
  const victim = new Browser()
  victim.cookies.set(new URL(rig.url).host, new Map([['ascribe_session', planted]]))
  await rig.signIn('vic', { browser: victim })
  assert.notEqual(sessionOf(victim), planted)
  await rig.signIn('ada', { browser })
  assert.notEqual(sessionOf(browser), first)
  for (const dead of [first, planted]) {
    const reply = await new Browser().send(`${rig.url}/v1/me`, { headers: { cookie: `ascribe_session=${dead}` } })
    assert.equal(reply.status, 401)
  }
})

async function callbackOf(username: string, browser: Browser): Promise<URL> {
  const form = await browser.open(`${rig.url}/login?returnTo=/v1/me`)
  return (await browser.submit(form, { username, password: `${username}-password` }, { stopAt: `${rig.url}/login/callback` })).url
}

test('login: a callback that another browser began is refused (login CSRF), and so is one without state, twice, or changed', async () => {
  const attacker = new Browser()
  const callback = await callbackOf('eve', attacker)
  const victim = new Browser()
  assert.equal(code(await victim.send(callback)), 'invalid_request')
  // Also when the victim has begun one of his own.
  await victim.open(`${rig.url}/login`)
  assert.equal(code(await victim.send(callback)), 'invalid_request')
  assert.equal(sessionOf(victim), undefined)
  const mine = new Browser()
  const good = await callbackOf('ada', mine)
  const changed = (change: (query: URLSearchParams) => void): URL => {
    const url = new URL(good)
    change(url.searchParams)
    return url
  }
  assert.equal((await mine.send(changed((query) => query.delete('state')))).status, 400)
  assert.equal((await mine.send(changed((query) => query.append('code', 'x')))).status, 400)
  assert.equal((await mine.send(changed((query) => query.set('iss', 'https://evil.com')))).status, 401)
  assert.equal((await mine.send(changed((query) => query.set('code', 'forged')))).status, 401)
  assert.equal((await mine.send(changed((query) => query.delete('code')))).status, 401)
  assert.equal(code(await mine.send(changed((query) => query.set('error', 'access_denied')))), 'unauthenticated')
  assert.equal(sessionOf(mine), undefined)
  assert.equal((await mine.send(changed((query) => query.set('response', 'x')))).status, 302)
})

test('login: a callback works once', async () => {
  const browser = new Browser()
  const callback = await callbackOf('ada', browser)
  assert.equal((await browser.send(callback)).status, 302)
  assert.equal((await browser.send(callback)).status, 400)
})

test('login: two tabs of one browser sign in at once', async () => {
  const browser = new Browser()
  const forms = [await browser.open(`${rig.url}/login`), await browser.open(`${rig.url}/login`)]
  for (const form of forms) {
    const { url } = await browser.submit(form, { username: 'ada', password: 'ada-password' }, { stopAt: `${rig.url}/login/callback` })
    assert.equal((await browser.send(url)).status, 302)
  }
})

test('login: a browser that begins again and again does not outgrow the head of a request', async () => {
  const browser = new Browser()
  for (let index = 0; index < 30; index += 1)
    assert.equal((await browser.send(`${rig.url}/login?returnTo=/${'a'.repeat(1000)}`)).status, 302)
  assert.ok((browser.cookies.get(new URL(rig.url).host)?.size ?? 0) <= 4)
})

test('login: who takes longer than ten minutes begins again', async () => {
  const own = await startRig()
  await using _ = own
  const browser = new Browser()
  const form = await browser.open(`${own.url}/login`)
  const callback = await browser.submit(form, { username: 'ada', password: 'ada-password' }, { stopAt: `${own.url}/login/callback` })
  own.clock.advance(10 * 60_000)
  assert.equal(code(await browser.send(callback.url)), 'invalid_request')
})

test('login: returnTo leads to a path of ours or nowhere', async () => {
  for (const path of [
    '//evil.com',
    'https://evil.com',
    '/\\evil.com',
    '\\\\evil.com',
    '/\t/evil.com',
    'evil',
    '',
    '/login',
    '/login?x',
    '/logout',
    '/a/../login',
    '/x/..//evil.com',
  ]) {
    const reply = await new Browser().send(`${rig.url}/login?returnTo=${encodeURIComponent(path)}`)
    assert.equal(code(reply), 'redirect_refused', path)
  }
  const reply = await new Browser().send(`${rig.url}/login?returnTo=${encodeURIComponent('/console/?group=model#day')}`)
  assert.equal(reply.status, 302)
  assert.equal(reply.headers.get('referrer-policy'), 'no-referrer')
})

test('login: the request to the issuer has PKCE, state and nonce, and nothing of them is a secret of ours', async () => {
  const reply = await new Browser().send(`${rig.url}/login`)
  const url = new URL(reply.headers.get('location') ?? '')
  assert.equal(url.origin, rig.issuer.issuer)
  assert.equal(url.searchParams.get('redirect_uri'), `${rig.url}/login/callback`)
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
  for (const name of ['state', 'nonce', 'code_challenge']) assert.match(url.searchParams.get(name) ?? '', /^[\w-]{43}$/, name)
})

test('login: a page does not begin a sign-in by loading something of us', async () => {
  for (const site of ['cross-site', 'same-site'])
    assert.equal(code(await new Browser().send(`${rig.url}/login`, { headers: { 'sec-fetch-site': site } })), 'origin_refused')
})

test('logout: ends the session here and says where that of the issuer ends', async () => {
  const { browser } = await rig.signIn('ada')
  const cookie = `ascribe_session=${sessionOf(browser) ?? ''}`
  const reply = await browser.send(`${rig.url}/logout`, { method: 'POST' })
  const { endSessionUrl } = JSON.parse(reply.text) as { endSessionUrl: string }
  assert.ok(endSessionUrl.startsWith(rig.issuer.issuer))
  assert.equal(sessionOf(browser), undefined)
  assert.equal((await new Browser().send(`${rig.url}/v1/me`, { headers: { cookie } })).status, 401)
  // The issuer's session is over as well: it shows its form again.
  await browser.open(endSessionUrl, { stopAt: rig.url })
  assert.match((await browser.open(`${rig.url}/login`)).text, /<form/)
})

test('logout: a form goes on to the issuer', async () => {
  const { browser } = await rig.signIn('ada')
  const reply = await browser.send(`${rig.url}/logout`, { method: 'POST', headers: { accept: 'text/html,*/*;q=0.8' } })
  assert.equal(reply.status, 302)
  const url = new URL(reply.headers.get('location') ?? '')
  assert.equal(url.origin, rig.issuer.issuer)
  assert.equal(url.searchParams.get('post_logout_redirect_uri'), `${rig.url}/console/`)
})

test('logout: is refused from another site, and forgets a session that is over', async () => {
  const { browser } = await rig.signIn('ada')
  for (const headers of [
    { origin: 'https://evil.com' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site' },
  ])
    assert.equal((await browser.send(`${rig.url}/logout`, { method: 'POST', headers })).status, 403, JSON.stringify(headers))
  assert.equal((await browser.send(`${rig.url}/v1/me`)).status, 200)
  assert.equal((await new Browser().send(`${rig.url}/logout`, { method: 'POST' })).status, 401)
  const stale = await new Browser().send(`${rig.url}/logout`, { method: 'POST', headers: { cookie: `ascribe_session=${'A'.repeat(43)}` } })
  assert.equal(stale.status, 200)
  assert.match(stale.headers.getSetCookie().join(), /ascribe_session=; .*Max-Age=0/)
})

test('session: a member of several organizations chooses one of them, and no other', async () => {
  const { browser, page } = await rig.signIn('max')
  const { organizationId, organizations } = me(page)
  assert.equal(organizationId, undefined)
  assert.deepEqual(
    organizations.map(({ name }) => name),
    ['Acme', 'Beta'],
  )
  const choose = (organization: string): Promise<Page> =>
    browser.send(`${rig.url}/v1/me/organization`, { method: 'POST', body: new URLSearchParams({ organization }) })
  assert.equal(me(await choose(rig.beta)).organizationId, rig.beta)
  assert.equal(me(await browser.send(`${rig.url}/v1/me`)).organizationId, rig.beta)
  // A link to the other one works too: he is a member there.
  assert.equal((await browser.send(statement(rig.acme))).status, 200)
  const { browser: eve } = await rig.signIn('eve')
  const foreign = await eve.send(`${rig.url}/v1/me/organization`, { method: 'POST', body: new URLSearchParams({ organization: rig.acme }) })
  assert.equal(code(foreign), 'organization_not_found')
})

test('session: may be begun for one of several organizations', async () => {
  const browser = new Browser()
  const form = await browser.open(`${rig.url}/login?returnTo=/v1/me&organization=${rig.beta}`)
  assert.equal(me(await browser.submit(form, { username: 'max', password: 'max-password' })).organizationId, rig.beta)
  // One that he is no member of is not looked at.
  const eve = new Browser()
  const other = await eve.open(`${rig.url}/login?returnTo=/v1/me&organization=${rig.acme}`)
  assert.equal(me(await eve.submit(other, { username: 'eve', password: 'eve-password' })).organizationId, rig.beta)
})

test('session: a write with the cookie wants our own Origin; a read is not for other sites', async () => {
  const { browser } = await rig.signIn('max')
  const body = new URLSearchParams({ organization: rig.acme })
  for (const headers of [
    { origin: 'https://evil.com' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { origin: `${rig.url}.evil.com` },
    { 'sec-fetch-site': 'same-site' },
  ])
    assert.equal(
      code(await browser.send(`${rig.url}/v1/me/organization`, { method: 'POST', body, headers })),
      'origin_refused',
      JSON.stringify(headers),
    )
  for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'https://evil.com' }])
    assert.equal(code(await browser.send(`${rig.url}/v1/me`, { headers })), 'origin_refused', JSON.stringify(headers))
})

test('session: two identities in one request are refused, whichever they are', async () => {
  const { browser } = await rig.signIn('ada')
  const { key } = await createKey(rig.db, rig.acme, ['billing:read'])
  const cookie = `ascribe_session=${sessionOf(browser) ?? ''}`
  const authorization = `Bearer ${key}`
  const send = async (headers: Readonly<Record<string, string>>): Promise<number> =>
    (await new Browser().send(`${rig.url}/v1/me`, { headers })).status
  assert.equal(await send({ authorization }), 200)
  assert.equal(await send({ cookie }), 200)
  assert.equal(await send({ authorization, cookie }), 400)
  assert.equal(await send({ authorization: `Bearer ${rig.issuer.userToken('ada')}`, cookie }), 400)
  assert.equal(await send({ cookie: `${cookie}; ${cookie}` }), 400)
  assert.equal(await send({}), 401)
  for (const odd of ['', 'Basic YTpi', 'Bearer', 'Bearer x y', 'bearer=x']) assert.equal(await send({ authorization: odd }), 401, odd)
})
