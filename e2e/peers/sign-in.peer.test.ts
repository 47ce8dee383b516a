import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { temporaryDir, up } from '../support/product.ts'
import type { Product } from '../support/product.ts'
import { chromium, launchChromium } from './chromium/chromium.ts'

// Customers sign in with a real browser, whose rules for cookies, Origin and redirects of forms are not those of a test.

const available = await chromium()

describe('signing in, in a real browser', { skip: available.skip }, () => {
  const dir = temporaryDir()
  let product: Product
  let browser: Browser

  before(async () => {
    product = await up(dir.path)
    browser = await launchChromium(available.skip === false ? available.program : '')
  })
  after(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })

  async function signIn(name: string): Promise<Page> {
    const page = await (await browser.newContext()).newPage()
    await page.goto(product.ready.console)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: `Sign in as ${name}` }).click()
    return page
  }

  test('a customer signs in, reads, and signs out of both sessions', async () => {
    const page = await signIn('Ada Demo')
    await page.getByText(product.ready.organization.name, { exact: true }).first().waitFor()
    const cookies = await page.context().cookies(product.ready.api)
    const session = cookies.find(({ name }) => name === 'ascribe_session')
    assert.deepEqual([session?.httpOnly, session?.sameSite, session?.expires], [true, 'Lax', -1])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
    assert.equal(
      (await page.context().cookies(product.ready.api)).some(({ name }) => name === 'ascribe_session'),
      false,
    )
    // The issuer has forgotten him too: it asks again who he is.
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Sign in as Ada Demo' }).waitFor()
  })

  test('a member of several organizations chooses one', async () => {
    const { admin, adminKey, issuer, organization } = product.ready
    const made = await fetch(`${admin}/v1/organizations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Second' }),
    })
    const { id } = (await made.json()) as { readonly id: string }
    await fetch(`${issuer}/sandbox/users`, { method: 'POST', body: JSON.stringify({ user: 'max', organizations: [organization.id, id] }) })
    const page = await signIn('Max')
    await page.getByRole('button', { name: 'Second' }).click()
    const chosen = page.getByLabel('Organization').locator('option:checked')
    assert.equal(await chosen.innerText(), 'Second')
    await page.reload()
    assert.equal(await chosen.innerText(), 'Second')
    // And another one, from any page: its title and data are those of the other at once.
    await page.getByLabel('Organization').selectOption(organization.name)
    await page.waitForFunction(`document.title.startsWith('${organization.name} · ')`)
  })
})
