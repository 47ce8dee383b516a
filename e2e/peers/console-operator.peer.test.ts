import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { chromium } from './chromium/chromium.ts'
import { OLGA, REASON, TICKET, beginViewing, consoleWorld } from './console/world.ts'
import type { ConsoleWorld } from './console/world.ts'
import { until } from './support/until.ts'

// An operator's way through the console, on the origin of its API: the default. view-as.peer.test.ts is the form with two origins.

const available = await chromium()

describe('the console as an operator opens it', { skip: available.skip }, () => {
  let world: ConsoleWorld
  let id: string

  before(async () => {
    world = await consoleWorld(available.skip === false ? available.program : '')
    id = world.product.ready.organization.id
  })
  after(async () => {
    await world[Symbol.asyncDispose]()
    assert.deepEqual(world.problems, [])
  })

  const at = (path: string, organizationId = id): string => `${world.product.ready.operatorConsole}as/${organizationId}${path}`
  const banner = (page: Page): ReturnType<Page['getByRole']> => page.getByRole('region', { name: /^Viewing as/ })

  test('from the search to the page: a reason and a ticket first, then a banner that says who, whom, why and how long', async () => {
    const context = await world.context()
    const page = await context.newPage()
    await page.goto(world.product.ready.operatorConsole)
    await page.getByRole('button', { name: `Sign in as ${OLGA}` }).click()
    await page.getByLabel('Name, organization id or API key id').fill('dem')
    await page.getByText('1 match').waitFor()
    await page.getByRole('link', { name: 'View as Demo' }).click()
    await page.getByText('You will open: Overview').waitFor()
    assert.equal(await page.getByRole('navigation').count(), 0)
    // Both fields are asked for, by name, before anything is sent.
    await page.getByRole('button', { name: 'Start viewing' }).click()
    await page.getByRole('alert').getByText('Name the ticket').waitFor()
    await beginViewing(page, 30)
    await page.getByRole('region', { name: 'Viewing as Demo' }).waitFor()
    const said = (await banner(page).innerText()).replaceAll('\n', ' ')
    for (const part of [OLGA, REASON, TICKET, 'Demo', id.slice(-8), 'Read-only', '30 min left', 'Exit'])
      assert.ok(said.includes(part), part)
    await until(async () => (await page.title()) === '[Viewing as] Demo · Overview · Ascribe', 'the tab says so')
    assert.match((await page.locator('link[rel=icon]').getAttribute('href')) ?? '', /favicon-viewing/)
    await page.getByRole('button', { name: 'Exit' }).click()
    await page.getByRole('heading', { name: 'Find an organization' }).waitFor()
    assert.equal(page.url(), world.product.ready.operatorConsole)
    await page.goto(at('/overview'))
    await page.getByRole('textbox', { name: /^Reason/ }).waitFor()
    await context.close()
  })

  test('a deep link opens on the form and lands on the page, with its state; Back leads through the pages', async () => {
    const page = await world.operator('/invoices?year=2026')
    assert.equal(page.url(), at('/invoices?year=2026'))
    await page.getByRole('heading', { level: 1, name: 'Invoices' }).waitFor()
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'API keys' }).click()
    await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor()
    await until(async () => (await page.evaluate('document.activeElement.id')) === 'page-title', 'the heading has the focus')
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Invoices' }).waitFor()
    assert.equal(page.url(), at('/invoices?year=2026'))
    await page.context().close()
  })

  test('nothing can be changed: no control is there, every write address explains itself, and the server refuses', async () => {
    const page = await world.operator('/keys')
    await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor()
    const words = /create|rotate|revoke|set budget|new budget|delete|approve|withdraw|save|edit|change/i
    for (const path of ['/keys', '/budgets', '/machines', '/members', '/access-log', '/start', '/invoices', '/overview']) {
      await page.goto(at(path))
      await page.getByRole('heading', { level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      const controls = await page.locator('main').getByRole('button').or(page.locator('main').getByRole('link')).allInnerTexts()
      assert.deepEqual(
        controls.filter((text) => words.test(text)),
        [],
        path,
      )
    }
    for (const path of ['/keys/new', '/keys/abc/rotate', '/keys/abc/revoke', '/budgets/new', '/support']) {
      await page.goto(at(path))
      await page.getByText('Not available while viewing as a customer.').waitFor()
      await page.getByText('Only members of Demo can do this.').waitFor()
    }
    const status = await page.evaluate(
      async ([path = '', accept = '']) => (await fetch(path, { method: 'POST', headers: { accept } })).status,
      [`/v1/organizations/${id}/credentials`, id],
    )
    assert.equal(status, 405)
    await page.context().close()
  })

  test('R11: two tabs on two customers never mix: each has its own address, title and data', async () => {
    const other = await world.organization('Other Company')
    const first = await world.operator('/members')
    const second = await world.operator('/members', { organizationId: other, context: first.context() })
    const asked: string[] = []
    for (const page of [first, second])
      page.on('request', (request) => asked.push(`${page === first ? 'first' : 'second'} ${request.url()}`))
    for (let turn = 0; turn < 3; turn += 1) {
      for (const [page, name, own] of [
        [first, 'Demo', id],
        [second, 'Other Company', other],
      ] as const) {
        await page.reload()
        await page.getByRole('region', { name: `Viewing as ${name}` }).waitFor()
        await until(async () => (await page.title()).startsWith(`[Viewing as] ${name}`), 'the tab is named')
        assert.ok(page.url().includes(own))
        assert.equal((await page.locator('body').innerText()).includes(name === 'Demo' ? 'Other Company' : 'Demo'), false)
      }
    }
    assert.deepEqual(
      asked.filter((line) => (line.startsWith('first') ? line.includes(other) : line.includes(id))),
      [],
    )
    await first.context().close()
  })

  test('R13: expiry in mid-work: the page empties, sign-in leads back to the same page and state', async () => {
    const page = await world.operator('/invoices?year=2026')
    await page.getByRole('heading', { level: 1, name: 'Invoices' }).waitFor()
    await page.waitForLoadState('networkidle')
    for (const { sid } of await world.teleport.sessions()) await world.teleport.end({ sid })
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Members and groups' }).click()
    await page.getByRole('alert', { name: 'Session ended' }).getByText('Your sign-in has ended.').waitFor()
    assert.equal(await page.getByRole('table').count(), 0)
    assert.equal(page.url(), at('/members'))
    const before = (await world.teleport.seen()).length
    await page.waitForTimeout(1500)
    assert.ok((await world.teleport.seen()).length - before <= 1, 'no storm of retries')
    // The address stays the reader's: where Back leads is where sign-in comes back to.
    await page.goBack()
    await page.getByRole('link', { name: 'Sign in and continue' }).click()
    await page
      .getByRole('button', { name: `Sign in as ${OLGA}` })
      .or(banner(page))
      .first()
      .waitFor()
    if (await page.getByRole('button', { name: `Sign in as ${OLGA}` }).isVisible())
      await page.getByRole('button', { name: `Sign in as ${OLGA}` }).click()
    await banner(page).waitFor()
    assert.equal(page.url(), at('/invoices?year=2026'))
    await page.context().close()
  })

  test('R26: the last five minutes are in seconds and said aloud; at the end nothing is left but the way to go on', async () => {
    const context = await world.context()
    await context.clock.install()
    const page = await world.operator('/members', { context })
    // A session begun anew, so that its time is known.
    await page.getByRole('button', { name: 'Exit' }).click()
    await page.getByRole('heading', { name: 'Find an organization' }).waitFor()
    await page.goto(at('/members'))
    await beginViewing(page)
    await context.clock.fastForward('55:30')
    await banner(page)
      .getByText(/^4 min \d+ s left$/)
      .waitFor()
    await banner(page).getByRole('status').getByText('5 minutes left.').waitFor()
    await context.clock.fastForward('05:00')
    await page
      .getByRole('alert', { name: 'Session ended' })
      .getByText(/Viewing as Demo ended at \d\d:\d\d UTC/)
      .waitFor()
    assert.equal(await page.getByRole('table').count(), 0)
    assert.equal(page.url(), at('/members'))
    await context.close()
  })

  test('without a mouse: skip link, search, form, banner and Exit, in the order in which they are read', async () => {
    const page = await world.operator('/members')
    await page.getByRole('heading', { level: 1, name: 'Members and groups' }).waitFor()
    await page.reload()
    await banner(page).waitFor()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to content')
    const inBanner = async (): Promise<boolean> => page.evaluate("document.activeElement.closest('.banner') !== null")
    await page.keyboard.press('Tab')
    assert.ok(await inBanner(), 'the banner comes first')
    // Its summary opens: everything that it holds is there for who cannot hover.
    await page.keyboard.press('Enter')
    await page.getByText(id, { exact: true }).waitFor()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Exit')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Find an organization' }).waitFor()
    await page.getByLabel('Name, organization id or API key id').focus()
    await page.keyboard.type('demo')
    await page.getByText('1 match').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    const reason = page.getByRole('textbox', { name: /^Reason/ })
    await reason.waitFor()
    await reason.focus()
    await page.keyboard.type(REASON)
    await page.keyboard.press('Tab')
    await page.keyboard.type(TICKET)
    await page.keyboard.press('Enter')
    await banner(page).waitFor()
    await page.context().close()
  })

  test('who may not look is told neither whether there is such an organization nor anything of it', async () => {
    const page = await world.operator()
    await page.goto(at('/overview', '00000000-0000-4000-8000-000000000000'))
    await page.getByText('Your role may not view this organization.').waitFor()
    await page.getByText(/Request id/).waitFor()
    await page.goto(at('/no-such-page'))
    await page.getByText('This page does not exist or is not open to you.').waitFor()
    await page.context().close()
  })

  test('offline and slow: a bar that says how old the data are, a way out of waiting, and no analytics ever', async () => {
    const page = await world.operator('/members')
    const hosts = new Set<string>()
    page.on('request', (request) => hosts.add(new URL(request.url()).host))
    await page.getByRole('heading', { level: 1, name: 'Members and groups' }).waitFor()
    await page.waitForLoadState('networkidle')
    await page.context().setOffline(true)
    await page.getByText(/^Offline\. Data as of \d\d:\d\d UTC\.$/).waitFor()
    await page.getByRole('heading', { level: 1, name: 'Members and groups' }).waitFor()
    await page.context().setOffline(false)
    await page.getByText(/^Offline/).waitFor({ state: 'detached' })
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
    await page.route('**/v1/organizations/**', async (route) => {
      await mayGoOn
      await route.continue().catch(() => {})
    })
    await page.reload()
    await page.getByText('Still loading. Large ranges can take up to 30 seconds.').waitFor({ timeout: 15_000 })
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Still loading').waitFor({ state: 'detached' })
    goOn()
    assert.deepEqual([...hosts], [new URL(world.product.ready.operatorConsole).host])
    await page.context().close()
  })
})
