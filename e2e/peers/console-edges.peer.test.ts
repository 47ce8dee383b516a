import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Page, Route } from 'playwright-core'
import { temporaryDir } from '../support/product.ts'
import { chromium } from './chromium/chromium.ts'
import { reportUsage, usageFiles } from './console/usage.ts'
import { OLGA, consoleWorld } from './console/world.ts'
import type { ConsoleWorld } from './console/world.ts'
import { until } from './support/until.ts'

// What a console must not do while answers are late, links are wrong, and people belong to two organizations.

const available = await chromium()

describe('the console where it is easy to show something wrong', { skip: available.skip }, () => {
  let world: ConsoleWorld
  let dir: ReturnType<typeof temporaryDir>

  before(async () => {
    dir = temporaryDir()
    world = await consoleWorld(available.skip === false ? available.program : '', ...usageFiles(dir.path))
    await reportUsage(world.product)
  })
  after(async () => {
    await world[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
    assert.deepEqual(world.problems, [])
  })

  const total = (page: Page): Promise<string> => page.locator('.ov-value').first().innerText()
  const monthButton = (page: Page): ReturnType<Page['getByRole']> => page.getByRole('button', { name: /\(UTC\)/ }).first()

  /** Holds back what matches until it is let go. */
  async function held(page: Page, pattern: RegExp): Promise<() => Promise<void>> {
    const waiting: Route[] = []
    let isOpen = false
    await page.route(pattern, async (route) => {
      if (isOpen) await route.continue()
      else waiting.push(route)
    })
    return async () => {
      isOpen = true
      // What was cancelled meanwhile cannot be let go any more.
      await Promise.all(waiting.map((route) => route.continue().catch(() => {})))
      await page.unroute(pattern)
    }
  }

  test('a late answer never leaves a total under a range that it is not of', async () => {
    const page = await world.customer('/overview')
    await page.locator('main figure').waitFor()
    const name = (): Promise<string> => page.locator('.ov-figure dt').first().innerText()
    const before = [await name(), await total(page)]
    const caption = await page.locator('main figcaption').innerText()
    const release = await held(page, /\/costs\?/)
    await monthButton(page).click()
    await page.getByRole('button', { name: 'Last month', exact: true }).click()
    await until(
      async () => page.url().includes('from=') && !page.url().includes(`from=${new Date().toISOString().slice(0, 7)}`),
      'the address changes',
    )
    assert.deepEqual([await name(), await total(page)], before)
    assert.equal(await page.locator('main figcaption').innerText(), caption)
    await release()
    await until(async () => (await name()) === 'Last month', 'the answer is shown')
    assert.notEqual(await total(page), before[1])
    await page.context().close()
  })

  test('R11: who belongs to two organizations never sees a number of the one under the name of the other', async () => {
    const page = await world.customer('/overview?f=model%3Allama-3.3-70b')
    await page.locator('main figure').waitFor()
    const shown = await total(page)
    const other = await world.organization('Other Company')
    const me = (await page.evaluate(`fetch('/v1/me').then((reply) => reply.json())`)) as { readonly organizations: readonly object[] }
    const two = { ...me, organizations: [...me.organizations, { id: other, name: 'Other Company', role: 'admin' }] }
    await page.route('**/v1/me', (route) => route.fulfill({ json: two }))
    await page.route('**/v1/me/organization', (route) => route.fulfill({ json: { ...two, organizationId: other } }))
    await page.reload()
    await page.locator('main figure').waitFor()
    await held(page, new RegExp(`/v1/organizations/${other}`))
    await page.locator('.account select').selectOption({ label: 'Other Company' })
    await until(async () => (await page.title()).startsWith('Other Company'), 'the other one is named')
    assert.equal((await page.locator('main').innerText()).includes(shown), false)
    assert.equal(await page.locator('main figure').count(), 0)
    assert.ok(!page.url().includes('llama'), 'a filter of the one is not asked of the other')
    await page.context().close()
  })

  test('what was cancelled is said, and can be had after all', async () => {
    const page = await world.customer('/members')
    const release = await held(page, /\/costs\?/)
    await page.getByRole('link', { name: 'Overview' }).click()
    await page.getByText('Still loading.').waitFor()
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByText('What had not come yet is not shown.').waitFor()
    await release()
    await page.getByRole('button', { name: 'Load it' }).click()
    await page.locator('main figure').waitFor()
    assert.equal(await page.getByText('What had not come yet is not shown.').count(), 0)
    await page.context().close()
  })

  test('a link whose values mean nothing says so, also where it names no range', async () => {
    const page = await world.customer('/overview?by=colour&f=model:%25zz&sort=constructor')
    await page.locator('main figure').waitFor()
    await page.getByText('This link holds values that we do not know: grouping, filters, order.').waitFor()
    await page.context().close()
  })

  test('a dialog gives the focus back to what opened it: a button, a menu, a row whose page was left for it', async () => {
    const page = await world.customer('/overview')
    await page.locator('main figure').waitFor()
    const focused = (): Promise<string> =>
      page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
    const comesBack = async (name: RegExp): Promise<void> => {
      await page.getByRole('dialog').or(page.getByRole('alertdialog')).waitFor()
      await page.keyboard.press('Escape')
      await until(async () => name.test(await focused()), `the focus is at ${name.source}, not at ${await focused()}`)
    }
    await page.getByRole('button', { name: /^\d+ drivers?$/ }).focus()
    await page.keyboard.press('Enter')
    await comesBack(/drivers?$/)
    await page.getByRole('button', { name: 'Export' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('menuitem', { name: 'CSV' }).waitFor()
    await page.keyboard.press('Enter')
    await comesBack(/^Export/)
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'API keys' }).click()
    for (const item of ['Rotate', 'Revoke']) {
      await page.getByRole('button', { name: 'Actions for prod-1' }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('menuitem', { name: item }).focus()
      await page.keyboard.press('Enter')
      await comesBack(/^Actions for prod-1$/)
    }
    await page.context().close()
  })

  test('R13: signing in again works from an address that the skip link has changed', async () => {
    const page = await world.operator('/members')
    await page.getByRole('heading', { level: 1, name: 'Members and groups' }).waitFor()
    // What is still on its way would tell the page that the session has ended, and there would be no link to click.
    await page.waitForLoadState('networkidle')
    for (const { sid } of await world.teleport.sessions()) await world.teleport.end({ sid })
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'API keys' }).click()
    await page.getByRole('alert', { name: 'Session ended' }).waitFor()
    await page.getByRole('link', { name: 'Skip to content' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'Sign in and continue' }).click()
    const signIn = page.getByRole('button', { name: `Sign in as ${OLGA}` })
    const banner = page.getByRole('region', { name: /^Viewing as/ })
    await signIn.or(banner).waitFor()
    if (await signIn.isVisible()) await signIn.click()
    await banner.waitFor()
    assert.match(page.url(), /\/keys$/)
    await page.context().close()
  })

  test('an organization that has used nothing is told models that there are', async () => {
    const other = await world.organization('New Company')
    const page = await world.operator('/start', { organizationId: other })
    await page.getByLabel('Snippet').getByText('"model":"deepseek-v3"').waitFor()
    await page.context().close()
  })
})
