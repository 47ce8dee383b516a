import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PlainBrowser } from './plain-browser.ts'
import type { Product } from './product.ts'
import { until } from '../peers/support/until.ts'

/** The whole product with an issuer of customers that has the users ada, vic and eve: ada and vic of the demo organization. */
export type CustomersUnderTest = AsyncDisposable & {
  readonly product: Product
  readonly issuer: string
  /** A token of a program of that user; `foreign`: one that is meant for somebody else. */
  userToken(username: string, options?: { readonly foreign?: boolean }): Promise<string>
  rotateKeys(): Promise<void>
  /** Ends a user's sessions at the issuer, as an administrator would. */
  endSessions(username: string): Promise<void>
}

/** How customers come in, as tests: run with the sandbox's issuer and with a real Keycloak. */
export function customerFacts(start: () => Promise<CustomersUnderTest>): void {
  let site: CustomersUnderTest
  before(async () => {
    site = await start()
  })
  after(() => site?.[Symbol.asyncDispose]())

  const ask = (path: string, headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(site.product.ready.api + path, { headers })
  const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` })

  /** Signs in at the console, as a browser does; gives it. */
  async function signIn(username: string): Promise<PlainBrowser> {
    const { api } = site.product.ready
    const browser = new PlainBrowser()
    const page = await browser.visit(`${api}/login?returnTo=%2Fconsole%2F`)
    assert.ok(page.url.href.startsWith(site.issuer), page.html)
    const landed = await browser.submit(page, { username, password: `${username}-password` }, `${api}/console/`)
    assert.equal(landed.url.href, `${api}/console/`, landed.html)
    return browser
  }

  test('bearer: a program reads the organization of its user, and nobody reads another one', async () => {
    const { organization } = site.product.ready
    const ada = await ask('/api/organization', bearer(await site.userToken('ada')))
    assert.equal(ada.status, 200)
    assert.equal(((await ada.json()) as { readonly id: string }).id, organization.id)
    const eve = await ask(`/v1/organizations/${organization.id}/access-log`, bearer(await site.userToken('eve')))
    assert.ok(eve.status === 403 || eve.status === 404, String(eve.status))
    assert.equal((await ask('/api/organization', bearer(await site.userToken('ada', { foreign: true })))).status, 401)
  })

  test('bearer: a viewer reads and does not write', async () => {
    const headers = bearer(await site.userToken('vic'))
    assert.equal((await ask('/api/organization', headers)).status, 200)
    const { api, organization } = site.product.ready
    const write = await fetch(`${api}/v1/organizations/${organization.id}/support-access`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ requireApproval: true }),
    })
    assert.equal(write.status, 403)
  })

  test('bearer: a key that was rotated a moment ago works at once', async () => {
    const old = await site.userToken('ada')
    assert.equal((await ask('/api/organization', bearer(old))).status, 200)
    await site.rotateKeys()
    assert.equal((await ask('/api/organization', bearer(await site.userToken('ada')))).status, 200)
    assert.equal((await ask('/api/organization', bearer(old))).status, 200)
  })

  test('login: code and PKCE by the API, tokens stay with it, and signing out ends both sessions', async () => {
    const { api, organization } = site.product.ready
    const browser = await signIn('ada')
    const cookie = browser.cookiesFor(api)
    assert.equal(cookie.includes('eyJ'), false, 'no token in the browser')
    const me = (await (await ask('/v1/me', { cookie })).json()) as Readonly<Record<string, unknown>>
    assert.deepEqual([me['name'], me['organizationId'], me['role'], me['via']], ['Ada Demo', organization.id, 'admin', 'cookie'])
    assert.equal((await ask('/api/organization', { cookie })).status, 200)
    // By the form of the console: to the issuer, which ends its session, and back.
    const out = await browser.post(`${api}/logout`, {}, { from: new URL(api) })
    assert.equal(out.url.origin, new URL(api).origin)
    assert.equal((await ask('/v1/me', { cookie })).status, 401)
    const again = await browser.visit(`${api}/login`)
    assert.ok(again.url.href.startsWith(site.issuer) && again.html.includes('<form'), 'the issuer asks again')
  })

  test('login: a session that ends at the issuer ends here too, without a browser', async () => {
    const cookie = (await signIn('vic')).cookiesFor(site.product.ready.api)
    assert.equal((await ask('/v1/me', { cookie })).status, 200)
    await site.endSessions('vic')
    await until(async () => (await ask('/v1/me', { cookie })).status === 401, 'the session has ended')
  })

  test('login: a write needs an Origin of ours, which a page elsewhere cannot have', async () => {
    const { api, organization } = site.product.ready
    const cookie = (await signIn('ada')).cookiesFor(api)
    const write = (origin: string): Promise<Response> =>
      fetch(`${api}/v1/organizations/${organization.id}/support-access`, {
        method: 'PUT',
        headers: { cookie, origin, 'content-type': 'application/json' },
        body: JSON.stringify({ requireApproval: false }),
      })
    assert.equal((await write('https://evil.example')).status, 403)
    assert.equal((await write(new URL(api).origin)).status, 200)
  })
}
