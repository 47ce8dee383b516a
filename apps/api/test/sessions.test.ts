import assert from 'node:assert/strict'
import { test } from 'node:test'
import { syncDirectory } from '@ascribe/ledger'
import type { Me } from '@ascribe/contract/login'
import { Browser } from './browser.ts'
import type { Page } from './browser.ts'
import { startRig } from './login-support.ts'
import type { LoginRig } from './login-support.ts'

const MINUTE_MS = 60_000
const me = ({ text }: Page): Me => JSON.parse(text) as Me
const code = ({ text }: Page): string => (JSON.parse(text) as { code: string }).code
const cookieOf = (browser: Browser, rig: LoginRig): string =>
  `ascribe_session=${browser.cookies.get(new URL(rig.url).host)?.get('ascribe_session') ?? ''}`

async function whoAmI(rig: LoginRig, browser: Browser): Promise<Page> {
  return browser.send(`${rig.url}/v1/me`)
}

test('session: ends when nobody has used it for an hour, and at the latest after twelve', async () => {
  await using rig = await startRig({ accessTtlS: 24 * 3600 })
  const { browser } = await rig.signIn('ada')
  for (let minutes = 0; minutes < 11 * 60; minutes += 55) {
    rig.clock.advance(55 * MINUTE_MS)
    assert.equal((await whoAmI(rig, browser)).status, 200)
  }
  rig.clock.advance(55 * MINUTE_MS)
  assert.equal((await whoAmI(rig, browser)).status, 200)
  rig.clock.advance(5 * MINUTE_MS)
  assert.equal((await whoAmI(rig, browser)).status, 401)
  const { browser: idle } = await rig.signIn('ada')
  rig.clock.advance(60 * MINUTE_MS)
  assert.equal((await whoAmI(rig, idle)).status, 401)
})

test('session: its tokens are refreshed on the server, once for many requests on two processes at once', async () => {
  await using rig = await startRig()
  const { browser } = await rig.signIn('ada')
  const cookie = cookieOf(browser, rig)
  const version = async (): Promise<number | undefined> =>
    (await rig.db.query<{ version: number }>('select version from web_session')).rows[0]?.version
  for (let round = 1; round <= 3; round += 1) {
    rig.clock.advance(4.5 * MINUTE_MS)
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        new Browser().send(`${index % 2 === 0 ? rig.url : rig.otherUrl}/v1/me`, { headers: { cookie } }),
      ),
    )
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]))
    assert.equal(await version(), round)
  }
})

test('session: follows what the issuer says at the next refresh: another organization, or the end', async () => {
  await using rig = await startRig()
  const { browser } = await rig.signIn('ada')
  rig.issuer.setOrganizations('ada', [rig.beta])
  assert.equal(me(await whoAmI(rig, browser)).organizationId, rig.acme)
  rig.clock.advance(6 * MINUTE_MS)
  assert.equal(me(await whoAmI(rig, browser)).organizationId, rig.beta)
  await rig.issuer.endSessions('ada')
  rig.clock.advance(6 * MINUTE_MS)
  assert.equal(code(await whoAmI(rig, browser)), 'unauthenticated')
  assert.equal((await rig.db.query('select from web_session')).rowCount, 0)
})

test('session: is ended at once by a sign-out at the issuer (back-channel logout)', async () => {
  await using rig = await startRig()
  rig.issuer.putClient({
    id: 'ascribe-console',
    secret: 'console-secret',
    redirectUris: ['http://127.0.0.1/*'],
    backchannelLogoutUri: `${rig.url}/login/backchannel-logout`,
  })
  const { browser: ada } = await rig.signIn('ada')
  const { browser: vic } = await rig.signIn('vic')
  await rig.issuer.endSessions('ada')
  assert.equal((await whoAmI(rig, ada)).status, 401)
  assert.equal((await whoAmI(rig, vic)).status, 200)
})

test('session: back-channel logout believes logout tokens only', async () => {
  await using rig = await startRig()
  const { browser } = await rig.signIn('ada')
  const send = (token: string): Promise<Page> =>
    new Browser().send(`${rig.url}/login/backchannel-logout`, { method: 'POST', body: new URLSearchParams({ logout_token: token }) })
  for (const token of ['x', 'a.b.c', rig.issuer.userToken('ada'), rig.issuer.userToken('ada', { audience: 'ascribe-console' })])
    assert.equal((await send(token)).status, 400)
  assert.equal((await whoAmI(rig, browser)).status, 200)
})

test('session: goes on for a while when the issuer is away, and then says that it cannot be asked', async () => {
  const rig = await startRig()
  const { browser } = await rig.signIn('ada')
  await rig.issuer[Symbol.asyncDispose]()
  rig.clock.advance(6 * MINUTE_MS)
  assert.equal((await whoAmI(rig, browser)).status, 200)
  rig.clock.advance(15 * MINUTE_MS)
  const reply = await whoAmI(rig, browser)
  assert.deepEqual([reply.status, code(reply)], [502, 'issuer_unavailable'])
  // Signing out works without it.
  assert.equal((await browser.send(`${rig.url}/logout`, { method: 'POST' })).status, 200)
  await rig[Symbol.asyncDispose]()
})

test('session: the directory says who belongs where when the token does not, and what he may do there', async () => {
  await using rig = await startRig()
  rig.issuer.setOrganizations('eve', [])
  const { page } = await rig.signIn('eve')
  assert.equal(code(page), 'insufficient_role')
  const id = ((): string => {
    const [, body = ''] = rig.issuer.userToken('eve').split('.')
    return (JSON.parse(Buffer.from(body, 'base64url').toString()) as { sub: string }).sub
  })()
  await syncDirectory(rig.db, { users: [{ id, organizations: [rig.acme], role: 'viewer' }] }, {})
  const { page: second } = await rig.signIn('eve')
  assert.deepEqual(
    me(second).organizations.map(({ name }) => name),
    ['Acme'],
  )
  // Its role claim goes before the directory's word.
  assert.equal(me(second).role, 'admin')
})

test('session: is nobody’s when another issuer is configured now, or when its row was changed by hand', async () => {
  await using rig = await startRig()
  const { browser } = await rig.signIn('ada')
  await rig.db.query("update web_session set issuer = 'https://before.example.com'")
  assert.equal((await whoAmI(rig, browser)).status, 401)
  const { browser: other } = await rig.signIn('ada')
  const { browser: victim } = await rig.signIn('vic')
  assert.equal((await whoAmI(rig, other)).status, 200)
  // Whoever can write to the database cannot put one person's tokens into another one's session.
  await rig.db.query('update web_session w set sealed = v.sealed from web_session v where v.session_hash <> w.session_hash')
  assert.equal((await whoAmI(rig, other)).status, 401)
  assert.equal((await whoAmI(rig, victim)).status, 401)
})
