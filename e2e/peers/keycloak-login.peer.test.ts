import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PlainBrowser } from '../support/plain-browser.ts'
import { temporaryDir, up } from '../support/product.ts'
import type { Product } from '../support/product.ts'
import { keycloak } from './keycloak/install.ts'
import { CONSOLE_SECRET, startKeycloak } from './keycloak/start.ts'
import type { Keycloak } from './keycloak/start.ts'

// The whole product with a real Keycloak as the customers' issuer: programs with tokens, people with code and PKCE.

const available = await keycloak()
const OTHER = '01d730c7-5a61-4d7a-9f3c-63ed01f34ebf'

describe('customers of a real Keycloak', { skip: available.skip }, () => {
  const dir = temporaryDir()
  let issuer: Keycloak
  let product: Product

  before(async () => {
    issuer = await startKeycloak(available.skip === false ? { installed: available.installed } : {})
    const secret = join(dir.path, 'client-secret')
    writeFileSync(secret, `${CONSOLE_SECRET}\n`, { mode: 0o600 })
    const client = ['--oidc-client-id', 'ascribe-console', '--oidc-client-secret-file', secret]
    const claims = ['--oidc-audience', 'ascribe', '--oidc-role-claim', 'ascribe_role']
    product = await up(join(dir.path, 'data'), '--oidc-issuer', issuer.issuer('customers'), ...claims, ...client)
    const { organization } = product.ready
    for (const username of ['ada', 'vic']) await issuer.setAttributes(username, { organization_id: [organization.id] })
    await issuer.setAttributes('eve', { organization_id: [OTHER] })
  })
  after(async () => {
    await product?.[Symbol.asyncDispose]()
    await issuer?.[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })

  const ask = (path: string, headers: Readonly<Record<string, string>>, method = 'GET'): Promise<Response> =>
    fetch(product.ready.api + path, { method, headers })
  const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` })

  test('bearer: a program reads the organization of its user, and nobody reads another one', async () => {
    const { organization } = product.ready
    const ada = await ask('/api/organization', bearer(await issuer.userToken('ada')))
    assert.equal(ada.status, 200)
    assert.equal(((await ada.json()) as { readonly id: string }).id, organization.id)
    const eve = await ask(`/v1/organizations/${organization.id}/access-log`, bearer(await issuer.userToken('eve')))
    assert.ok(eve.status === 403 || eve.status === 404, String(eve.status))
    const foreign = await ask('/api/organization', bearer(await issuer.userToken('ada', { clientId: 'other-program' })))
    assert.equal(foreign.status, 401)
  })

  test('bearer: a viewer reads and does not write', async () => {
    const headers = bearer(await issuer.userToken('vic'))
    assert.equal((await ask('/api/organization', headers)).status, 200)
    const path = `/v1/organizations/${product.ready.organization.id}/support-access`
    const body = JSON.stringify({ requireApproval: true })
    const write = await fetch(product.ready.api + path, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
    })
    assert.equal(write.status, 403)
  })

  test('bearer: a key that was rotated a moment ago works at once', async () => {
    const old = await issuer.userToken('ada')
    await issuer.rotateKey('customers')
    assert.equal((await ask('/api/organization', bearer(await issuer.userToken('ada')))).status, 200)
    assert.equal((await ask('/api/organization', bearer(old))).status, 200)
  })

  test('login: code and PKCE by the API, tokens stay with it, and signing out ends both sessions', async () => {
    const { api, organization } = product.ready
    const browser = new PlainBrowser()
    const page = await browser.visit(`${api}/login?returnTo=%2Fconsole%2F`)
    assert.ok(page.url.href.startsWith(issuer.url), page.html)
    const landed = await browser.submit(page, { username: 'ada', password: 'ada-password' }, `${api}/console/`)
    assert.equal(landed.url.href, `${api}/console/`)
    const cookie = browser.cookiesFor(api)
    assert.equal(cookie.includes('eyJ'), false, 'no token in the browser')
    const me = (await (await ask('/v1/me', { cookie })).json()) as Readonly<Record<string, unknown>>
    assert.deepEqual([me['name'], me['organizationId'], me['role'], me['via']], ['Ada Demo', organization.id, 'admin', 'cookie'])
    assert.equal((await ask('/api/organization', { cookie })).status, 200)
    // By the form of the console: to Keycloak, which ends its session, and back.
    const out = await browser.post(`${api}/logout`, {}, { from: new URL(api) })
    assert.equal(out.url.origin, new URL(api).origin)
    assert.equal((await ask('/v1/me', { cookie })).status, 401)
    const again = await browser.visit(`${api}/login`)
    assert.ok(again.url.href.startsWith(issuer.url) && again.html.includes('password'), 'Keycloak asks again')
  })
})
