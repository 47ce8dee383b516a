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
import { until } from './support/until.ts'

// The founding document's flow in a real browser, across real hosts: the console of an environment, the API behind Teleport, and the
// customers' own listener. Ports prove nothing, since cookies are kept by host.

const OLGA = 'olga@ops.example'
const [REASON, TICKET] = ['the bill of last week looks too high', 'T-4711']
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
    const { operatorConsole, organization } = product.ready
    await page.goto(operatorConsole)
    await page.getByRole('button', { name: `Sign in as ${OLGA}` }).click()
    await page.waitForURL(operatorConsole)
    // Both apps have a session now, by one sign-in: the API is required by the console.
    assert.deepEqual((await teleport.sessions()).map(({ app }) => app).toSorted(), ['environments', 'global-api'])
    // R26: nothing is shown before a reason and a ticket are given.
    await begin(page)
    await page.getByRole('heading', { name: organization.name }).waitFor()
    const banner = page.getByRole('status')
    assert.match(await banner.innerText(), new RegExp(`${OLGA}.*${organization.id}.*Read-only.*minutes left`))
    assert.match(await page.title(), /viewing/)
    const costs = await page.locator('#costs tbody tr').allInnerTexts()
    assert.equal(costs.length, new Date().getUTCDate(), 'one row for each day of the month so far')
    assert.match(costs.at(-1) ?? '', /\d\.\d*[1-9]/)
  })

  test('R14: every read crossed origins as a simple request: no preflight, no header but Accept with the bare id', async () => {
    const { teleport: api, operatorConsole, organization } = product.ready
    const crossing = requests.filter((request) => request.url().startsWith(`${api}/`) && !request.url().includes('/x-teleport-auth'))
    const reads = crossing.filter((request) => request.method() === 'GET' && request.resourceType() === 'fetch')
    assert.ok(reads.length >= 3)
    assert.notEqual(new URL(api).hostname, new URL(operatorConsole).hostname)
    for (const request of reads) {
      const headers = await request.allHeaders()
      assert.equal(headers['accept'], organization.id)
      assert.equal(headers['origin'], new URL(operatorConsole).origin)
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
    await page.reload()
    await page.getByRole('alert').getByText('session has ended').waitFor()
    await page.getByRole('link', { name: 'Sign in' }).click()
    // Through Teleport's launcher, /redirect, and back, with the acting session as it was: it is found by operator and organization.
    await page.getByRole('heading', { name: product.ready.organization.name }).waitFor()
    assert.equal(page.url(), product.ready.operatorConsole)
    assert.equal(await preflights(), 0)
  })

  test('R26: Exit ends the acting session, and nothing is shown any more', async () => {
    await page.getByRole('button', { name: 'Exit' }).click()
    await page.getByLabel('Reason').waitFor()
    assert.equal(await page.locator('#costs tbody tr').count(), 0)
  })

  test("the dashboard's link leads to the same page, query and deep path kept, and to no other site", async () => {
    const { teleport: api, operatorConsole } = product.ready
    const context = await browser.newContext()
    const opened = await context.newPage()
    const wanted = `${operatorConsole}?month=2026-11`
    await opened.goto(`${api}/redirect?to=${encodeURIComponent(wanted)}`)
    await opened.getByRole('button', { name: `Sign in as ${OLGA}` }).click()
    await opened.waitForURL(wanted)
    for (const hostile of [
      'https://evil.example/internal-console/',
      operatorConsole.replace('.teleport.localhost', '.teleport.localhost.evil.example'),
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
    await own.getByRole('heading', { name: product.ready.organization.name }).waitFor()
    assert.equal(new URL(own.url()).origin, new URL(product.ready.console).origin)
    const log = await own.locator('#log tbody tr').allInnerTexts()
    const looks = log.filter((row) => row.includes('/api/costs/breakdown/daily'))
    assert.ok(looks.length > 0, log.join('\n'))
    for (const row of looks) {
      for (const part of [OLGA, REASON, TICKET]) assert.ok(row.includes(part), row)
      assert.match(row, /^\d{4}-\d\d-\d\dT/)
    }
    // Tokens stay on the server: the browser has nothing that a script could read.
    assert.equal(await own.evaluate('document.cookie'), '')
    assert.equal(await own.evaluate('localStorage.length + sessionStorage.length'), 0)
    await customers.close()
  })

  test('R11: two tabs on two customers, at one address, show each its own', async () => {
    const other = await createOrganization('Other')
    const { organization, operatorConsole, teleport: api } = product.ready
    const consoleOfOther = operatorConsole.replace(organization32(organization.id), organization32(other))
    const second = await operators.newPage()
    await second.goto(consoleOfOther)
    await begin(second)
    await second.getByRole('heading', { name: 'Other' }).waitFor()
    const names = (opened: Page, id: string): Promise<string> =>
      opened.evaluate(
        async ([url = '', accept = '']) => {
          const read = async (): Promise<string> =>
            ((await (await fetch(url, { credentials: 'include', headers: { accept } })).json()) as { name: string }).name
          return `${await read()} ${await read()}`
        },
        [`${api}/api/organization`, id],
      )
    await begin(page)
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
    await own.getByRole('heading', { name: 'Stranger' }).waitFor()
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

  /** Says why, where the page asks for it. */
  async function begin(opened: Page): Promise<void> {
    await opened.getByLabel('Reason').fill(REASON)
    await opened.getByLabel('Ticket').fill(TICKET)
    await opened.getByRole('button', { name: 'Begin' }).click()
    await opened.locator('#page').waitFor()
  }

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
