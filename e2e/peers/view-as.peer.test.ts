import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import type { Browser, BrowserContext, Page, Request } from 'playwright-core'
import { organization32 } from '@ascribe/identity/view-as'
import { chat } from '../support/client.ts'
import { temporaryDir, up } from '../support/product.ts'
import type { Product } from '../support/product.ts'
import { TeleportControl } from '../support/teleport-control.ts'
import { chromium, launchChromium } from './chromium/chromium.ts'
import { OLGA, REASON, TICKET, beginViewing, builtConsole } from './console/world.ts'
import { until } from './support/until.ts'

// The founding document's flow in a real browser, across real hosts: the console of an environment, the API behind Teleport, and the
// customers' own listener. Ports prove nothing, since cookies are kept by host.

const available = await chromium()

describe('view as, in a real browser', { skip: available.skip }, () => {
  const dir = temporaryDir()
  let product: Product
  let teleport: TeleportControl
  let browser: Browser
  let operators: BrowserContext
  let page: Page
  const requests: Request[] = []

  before(async () => {
    builtConsole()
    product = await up(dir.path)
    teleport = new TeleportControl(product.ready.teleport)
    const { gateway, key } = product.ready
    for (let count = 0; count < 3; count += 1) await chat({ gateway, key, stream: false, maxTokens: 20 })
    await product.eventsUntil(3)
    await until(async () => (await product.statement()).total !== '0', 'the requests are priced')
    browser = await launchChromium(available.skip === false ? available.program : '')
    operators = await browser.newContext()
    page = await operators.newPage()
    page.on('request', (request) => requests.push(request))
  })
  after(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })

  /** Preflights that reached Teleport, whatever it did with them. */
  const preflights = async (): Promise<number> => (await teleport.seen()).filter(({ method }) => method === 'OPTIONS').length

  test('an operator opens the console, signs in once for console and API, says why, and reads what it cost', async () => {
    const { environmentConsole, organization } = product.ready
    await page.goto(environmentConsole)
    await page.getByRole('button', { name: `Sign in as ${OLGA}` }).click()
    await page.getByRole('textbox', { name: /^Reason/ }).waitFor()
    // Both apps have a session now, by one sign-in: the API is required by the console.
    assert.deepEqual((await teleport.sessions()).map(({ app }) => app).toSorted(), ['environments', 'global-api'])
    // R26: nothing is shown before a reason and a ticket are given.
    await beginViewing(page)
    const banner = page.getByRole('region', { name: `Viewing as ${organization.name}` })
    const said = (await banner.innerText()).replaceAll('\n', ' ')
    for (const part of [OLGA, REASON, TICKET, organization.id.slice(-8), 'Read-only', /\d+ min left/, 'Exit'])
      assert.match(said, new RegExp(part))
    await until(async () => (await page.title()) === `[Viewing as] ${organization.name} · Overview · Ascribe`, 'the tab says so')
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    assert.equal(page.url().replace(/\?.*/, ''), `${environmentConsole}as/${organization.id}/overview`)
  })

  test('R14: every read crossed origins as a simple request: no preflight, no header but Accept with the bare id', async () => {
    const { teleport: api, environmentConsole, organization } = product.ready
    const crossing = requests.filter((request) => request.url().startsWith(`${api}/`) && !request.url().includes('/x-teleport-auth'))
    const reads = crossing.filter(
      (request) => request.method() === 'GET' && request.resourceType() === 'fetch' && !request.url().includes('/v1/operator/'),
    )
    assert.ok(reads.length >= 3)
    assert.notEqual(new URL(api).hostname, new URL(environmentConsole).hostname)
    for (const request of reads) {
      const headers = await request.allHeaders()
      assert.equal(headers['accept'], organization.id)
      assert.equal(headers['origin'], new URL(environmentConsole).origin)
      assert.equal(headers['content-type'], undefined)
      assert.equal(headers['authorization'], undefined)
      // R11: two organizations have the same address; nothing may keep one's answer for the other.
      const reply = await request.response()
      assert.match(reply?.headers()['cache-control'] ?? '', /private, no-store/)
      for (const name of ['Origin', 'Accept', 'Cookie', 'Authorization', 'Teleport-Jwt-Assertion'])
        assert.ok(reply?.headers()['vary']?.toLowerCase().includes(name.toLowerCase()), name)
    }
    const [start] = crossing.filter((request) => request.method() === 'POST')
    assert.match((await start?.allHeaders())?.['content-type'] ?? '', /^application\/x-www-form-urlencoded/)
    assert.equal(await preflights(), 0)
  })

  test('R2: a write is refused by the server, in words that the page can read', async () => {
    const status = await page.evaluate(async (api) => {
      const reply = await fetch(`${api}/api/organization/onboarded`, { method: 'POST', credentials: 'include' })
      return [reply.status, ((await reply.json()) as { reason: string }).reason]
    }, product.ready.teleport)
    assert.deepEqual(status, [405, 'method_not_allowed'])
    assert.equal(await preflights(), 0)
  })

  test('R17: a page that is not on the list, of the same site even, gets nothing and leaves no line in the name of the operator', async () => {
    const evil = createServer((_, reply) => reply.writeHead(200, { 'content-type': 'text/html' }).end('<h1>evil</h1>'))
    evil.listen(0, '127.0.0.1')
    await once(evil, 'listening')
    // What the page itself asks for has its lines.
    await page.waitForLoadState('networkidle')
    const before = (await lines()).length
    try {
      const other = await operators.newPage()
      for (const host of ['evil.teleport.localhost', 'evil.localhost']) {
        await other.goto(`http://${host}:${(evil.address() as AddressInfo).port}/`)
        const got = await other.evaluate(
          async ([api = '', id = '']) => {
            const read = await fetch(`${api}/api/credits`, { credentials: 'include', headers: { accept: id } }).then(
              (reply) => `read ${reply.status}`,
              () => 'nothing',
            )
            // Without asking to read, a browser sends it all the same.
            await fetch(`${api}/api/credits`, { credentials: 'include', mode: 'no-cors', headers: { accept: id } }).catch(() => {})
            return read
          },
          [product.ready.teleport, product.ready.organization.id],
        )
        assert.equal(got, 'nothing', host)
        // A form goes across origins without asking anybody, cookies and all.
        await other.setContent(
          `<form method="post" action="${product.ready.teleport}/v1/acting-sessions/end"><input name="organization" value="${product.ready.organization.id}"><button>x</button></form>`,
        )
        const [forged] = await Promise.all([other.waitForNavigation(), other.getByRole('button').click()])
        assert.ok(forged === null || forged.status() !== 200, `a form of ${host} ended the session`)
      }
      await other.close()
      const reached = (await teleport.seen()).filter(
        ({ origin, outcome }) => origin?.includes('evil.teleport') === true && outcome === 'forwarded',
      )
      assert.ok(reached.length > 0, 'Teleport itself lets it pass: the cookie comes along')
    } finally {
      evil.close()
      evil.closeAllConnections()
    }
    assert.equal((await lines()).length, before)
  })

  test('R13: when the session with the API ends the page says so, and its link signs in and comes back', async () => {
    const ended = (await teleport.sessions()).find(({ app }) => app === 'global-api')
    await teleport.end({ sid: ended?.sid ?? '' })
    const before = `${product.ready.environmentConsole}as/${product.ready.organization.id}/invoices?year=2026`
    await page.goto(before)
    await page.getByRole('alert').getByText('Your sign-in has ended').waitFor()
    await page.getByRole('link', { name: 'Sign in and continue' }).click()
    // Through Teleport's launcher, /redirect, and back, with the acting session as it was: it is found by operator and organization.
    await page.getByRole('region', { name: `Viewing as ${product.ready.organization.name}` }).waitFor()
    assert.equal(page.url(), before)
    assert.equal(await preflights(), 0)
  })

  test('R26: Exit ends the acting session, and nothing is shown any more', async () => {
    await page.getByRole('button', { name: 'Exit' }).click()
    await page.getByRole('textbox', { name: /^Reason/ }).waitFor()
    assert.equal(await page.getByRole('region', { name: /^Viewing as/ }).count(), 0)
    assert.equal(await page.getByRole('table').count(), 0)
  })

  test("the dashboard's link leads to the same page, query and deep path kept, and to no other site", async () => {
    const { teleport: api, environmentConsole } = product.ready
    const context = await browser.newContext()
    const opened = await context.newPage()
    const wanted = `${environmentConsole}as/${product.ready.organization.id}/invoices?year=2026`
    await opened.goto(`${api}/redirect?to=${encodeURIComponent(wanted)}`)
    await opened.getByRole('button', { name: `Sign in as ${OLGA}` }).click()
    await opened.waitForURL(wanted)
    for (const hostile of [
      'https://evil.example/internal-console/',
      environmentConsole.replace('.teleport.localhost', '.teleport.localhost.evil.example'),
    ]) {
      const reply = await opened.goto(`${api}/redirect?to=${encodeURIComponent(hostile)}`)
      assert.equal(reply?.status(), 400, hostile)
      assert.ok(opened.url().startsWith(api))
    }
    await context.close()
  })

  test('R28: the customer signs in at the issuer and reads who looked, when and why', async () => {
    const customers = await browser.newContext()
    const own = await customers.newPage()
    await own.goto(product.ready.console)
    await own.getByRole('link', { name: 'Sign in' }).click()
    await own.getByRole('button', { name: 'Sign in as Ada Demo' }).click()
    await own.getByRole('navigation', { name: 'Pages' }).waitFor()
    assert.equal(new URL(own.url()).origin, new URL(product.ready.console).origin)
    const log = await own.evaluate(async (path) => {
      const { data } = (await (await fetch(path)).json()) as {
        data: { actor: { id: string }; act?: { reason: string; ticket: string }; path?: string }[]
      }
      return data
    }, `/v1/organizations/${product.ready.organization.id}/access-log?limit=1000`)
    const looks = log.filter(({ path }) => path?.endsWith(`/v1/organizations/${product.ready.organization.id}`))
    assert.ok(looks.length > 0, JSON.stringify(log))
    for (const { actor, act } of looks) assert.deepEqual([actor.id, act?.reason, act?.ticket], [OLGA, REASON, TICKET])
    // Tokens stay on the server: the browser has nothing that a script could read.
    assert.equal(await own.evaluate('document.cookie'), '')
    assert.equal(await own.evaluate('localStorage.length + sessionStorage.length'), 0)
    await customers.close()
  })

  test('R11: two tabs on two customers, at one address, show each its own', async () => {
    const other = await createOrganization('Other')
    const { organization, environmentConsole, teleport: api } = product.ready
    const consoleOfOther = environmentConsole.replace(organization32(organization.id), organization32(other))
    const second = await operators.newPage()
    await second.goto(consoleOfOther)
    await beginViewing(second)
    await second.getByRole('region', { name: 'Viewing as Other' }).waitFor()
    const names = (opened: Page, id: string): Promise<string> =>
      opened.evaluate(
        async ([url = '', accept = '']) => {
          const read = async (): Promise<string> =>
            ((await (await fetch(url, { credentials: 'include', headers: { accept } })).json()) as { name: string }).name
          return `${await read()} ${await read()}`
        },
        [`${api}/api/organization`, id],
      )
    await page.goto(environmentConsole)
    await beginViewing(page)
    assert.deepEqual(
      [await names(page, organization.id), await names(second, other), await names(page, organization.id)],
      ['Demo Demo', 'Other Other', 'Demo Demo'],
    )
    // The host names the organization too: a page cannot read another one's.
    await assert.rejects(names(second, organization.id).then((text) => assert.ok(text.includes('Demo'))))
    await second.close()
  })

  test('R28: a customer reads the lines about themselves, and nobody else does', async () => {
    const other = await createOrganization('Stranger')
    await fetch(`${product.ready.issuer}/sandbox/users`, { method: 'POST', body: JSON.stringify({ user: 'eve', organizations: [other] }) })
    const customers = await browser.newContext()
    const own = await customers.newPage()
    await own.goto(product.ready.console)
    await own.getByRole('link', { name: 'Sign in' }).click()
    await own.getByRole('button', { name: 'Sign in as Eve Elsewhere' }).click()
    await own.getByText('Stranger').first().waitFor()
    assert.equal((await own.locator('body').innerText()).includes(OLGA), false)
    await customers.close()
  })

  test('R15: the custom header works where Teleport answers preflights: one is made and counted, and the reply is read', async () => {
    assert.equal(await preflights(), 0, 'none so far')
    const { teleport: api, organization } = product.ready
    const name = await page.evaluate(
      async ([url = '', id = '']) => {
        const reply = await fetch(url, { credentials: 'include', headers: { 'X-Materialize-Organization-Id': id } })
        return ((await reply.json()) as { name: string }).name
      },
      [`${api}/api/organization`, organization.id],
    )
    assert.equal(name, organization.name)
    assert.equal(await preflights(), 1)
  })

  async function createOrganization(name: string): Promise<string> {
    const { admin, adminKey } = product.ready
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const reply = await fetch(`${admin}/v1/organizations`, { method: 'POST', headers, body: JSON.stringify({ name }) })
    assert.equal(reply.status, 201, await reply.clone().text())
    return ((await reply.json()) as { readonly id: string }).id
  }

  /** The customer's access log, by the customer's key. */
  async function lines(): Promise<readonly unknown[]> {
    const { api, organization, billing_key: key } = product.ready
    const reply = await fetch(`${api}/v1/organizations/${organization.id}/access-log?limit=1000`, {
      headers: { authorization: `Bearer ${key}` },
    })
    return ((await reply.json()) as { readonly data: readonly unknown[] }).data
  }
})
