import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { chat } from '../support/client.ts'
import { temporaryDir } from '../support/product.ts'
import { chromium } from './chromium/chromium.ts'
import { LAST_MONTH, seedHistory } from './console/history.ts'
import { OLGA, REASON, TICKET, consoleWorld } from './console/world.ts'
import type { ConsoleWorld } from './console/world.ts'
import { until } from './support/until.ts'

// What customers do on the pages beside Overview, in a real browser: keys, budgets, invoices, who looked, and who may.

const available = await chromium()
const THIS_MONTH = new Date().toISOString().slice(0, 7)

describe('the pages of a customer', { skip: available.skip }, () => {
  const dir = temporaryDir()
  let world: ConsoleWorld
  let invoice: string
  /** One admin, signed in. */
  let page: Page

  before(async () => {
    world = await consoleWorld(available.skip === false ? available.program : '')
    invoice = (await seedHistory(world.product, dir.path)).number
    page = await world.customer('/keys')
  })
  after(async () => {
    assert.deepEqual(world?.problems ?? [], [])
    await world?.[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })

  const base = (): string => world.product.ready.console.replace(/\/$/, '')
  const open = async (path: string, heading: string): Promise<void> => {
    await page.goto(base() + path)
    await page.getByRole('heading', { level: 1, name: heading }).waitFor()
  }
  const served = (key: string): Promise<number> =>
    fetch(`${world.product.ready.gateway}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'sandbox-small', max_tokens: 4, messages: [{ role: 'user', content: 'x' }] }),
    }).then(async (reply) => {
      await reply.text()
      return reply.status
    })
  const row = (name: string): ReturnType<Page['getByRole']> => page.getByRole('row', { name: new RegExp(name) })
  const secret = async (): Promise<string> => (await page.locator('[data-secret]').innerText()).trim()

  test('a key without a mouse: made, its secret once, rotated with an overlap, and revoked at once', async () => {
    const press = (key: string): Promise<void> => page.keyboard.press(key)
    const focused = (): Promise<string> => page.locator(':focus').innerText()
    await open('/keys', 'API keys')
    await row('demo key').waitFor()
    await page.getByRole('link', { name: 'Create API key' }).focus()
    await press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Create API key' }).waitFor()
    await until(async () => (await focused()) === 'Create API key', 'the heading has the focus')
    // What is wrong takes the focus, and leads to its field.
    await page.getByRole('button', { name: 'Create API key' }).focus()
    await press('Enter')
    await page.getByRole('alert').waitFor()
    await page.locator('[role=alert]:focus').waitFor()
    await press('Tab')
    await press('Enter')
    await page.keyboard.type('of the journey')
    await press('Enter')
    await page.getByRole('dialog', { name: 'API key of the journey' }).waitFor()
    const first = await secret()
    assert.equal(await served(first), 200)
    // Neither Esc nor impatience loses a secret.
    await press('Escape')
    await page.getByRole('dialog').waitFor()
    assert.ok(await page.getByRole('button', { name: 'Done' }).isDisabled())
    await page.getByLabel('I stored it').focus()
    await press('Space')
    await page.getByRole('button', { name: 'Done' }).focus()
    await press('Enter')
    await row('of the journey').waitFor()
    assert.ok(!(await page.content()).includes(first), 'it is nowhere any more')

    const menu = page.getByRole('button', { name: 'Actions for of the journey' })
    await menu.focus()
    await press('Enter')
    await page.getByRole('menuitem', { name: /^Rotate/ }).waitFor()
    await press('Escape')
    await menu.and(page.locator(':focus')).waitFor()
    await press('Enter')
    await page.getByRole('menuitem', { name: /^Rotate/ }).press('Enter')
    await page.getByRole('dialog', { name: 'Rotate of the journey' }).waitFor()
    await page.getByRole('radio', { name: 'For an hour' }).focus()
    await press('Space')
    await page.getByRole('button', { name: 'Rotate key' }).press('Enter')
    await page.getByText(/The old one works until \d+ \w+ \d{4}, \d\d:\d\d UTC/).waitFor()
    const second = await secret()
    assert.deepEqual([await served(first), await served(second)], [200, 200])
    await page.getByLabel('I stored it').press('Space')
    await page.getByRole('button', { name: 'Done' }).press('Enter')

    await menu.press('Enter')
    await page.getByRole('menuitem', { name: 'Revoke' }).press('Enter')
    await page.getByRole('alertdialog', { name: 'Revoke of the journey?' }).waitFor()
    await page.getByText('Requests with it fail at once. This cannot be undone.').waitFor()
    await press('Escape')
    await row('of the journey').waitFor()
    await menu.press('Enter')
    await page.getByRole('menuitem', { name: 'Revoke' }).press('Enter')
    await page.getByRole('button', { name: 'Revoke key' }).press('Enter')
    await row('of the journey').waitFor({ state: 'detached' })
    assert.deepEqual([await served(first), await served(second)], [401, 401])
    await page.getByRole('radio', { name: 'Revoked' }).press('Space')
    await row('of the journey').getByText('Revoked', { exact: true }).waitFor()
    assert.match(page.url(), /state=revoked/)
  })

  test('a search and a sort stand in the address; who opens it sees the same; what it does not understand it says', async () => {
    await open('/keys', 'API keys')
    await page.getByRole('searchbox', { name: 'Search API keys' }).fill('billing')
    await until(() => Promise.resolve(page.url().includes('q=billing')), 'the address says so')
    await page.reload()
    await row('demo billing key').waitFor()
    assert.equal(await row('demo key').count(), 0)
    await open('/keys?state=everything', 'API keys')
    await page.getByText('Part of the address was not understood and is left out: state.').waitFor()
  })

  test('a budget is set, bounds what it says, is changed and ended; its webhook gets a secret, shown once', async () => {
    await open('/budgets/new', 'New budget')
    await page.getByLabel('Limit').fill('0')
    await page.getByRole('button', { name: 'Set budget' }).click()
    await page.getByRole('alert').getByText('Write the limit as a number above 0').waitFor()
    await page.getByLabel('Limit').fill('1000')
    await page.getByLabel('Webhook').fill('https://hooks.example.com/secret-path')
    await page.getByRole('button', { name: 'Set budget' }).click()
    await row('Demo').getByText('$1,000.00 a month').waitFor()
    await row('Demo').getByText('to hooks.example.com').waitFor()
    assert.ok(!(await page.content()).includes('secret-path'), 'the path of a webhook may be a secret')
    const menu = page.getByRole('button', { name: 'Actions for the budget of Demo' })
    await menu.click()
    await page.getByRole('menuitem', { name: /^Signing secret/ }).click()
    await page.getByRole('button', { name: 'Make secret' }).click()
    assert.match(await secret(), /^whsec_/)
    await page.getByText('I stored it').click()
    await page.getByRole('button', { name: 'Done' }).click()
    await row('Demo').getByText('signed with your secret').waitFor()
    await menu.click()
    await page.getByRole('menuitem', { name: 'Change' }).click()
    await page.getByRole('heading', { level: 1, name: 'Change budget' }).waitFor()
    await page.getByLabel('Limit').fill('2000')
    await page.getByRole('button', { name: 'Save budget' }).click()
    await row('Demo').getByText('$2,000.00 a month').waitFor()
    await menu.click()
    await page.getByRole('menuitem', { name: 'End' }).click()
    await page.getByRole('button', { name: 'End budget' }).click()
    await page.getByText('No budgets yet.').waitFor()
  })

  test('an invoice adds up to the cent, leads to its usage, and prints on A4 and Letter with nothing cut off', async () => {
    await open('/invoices', 'Invoices')
    await row(THIS_MONTH)
      .getByText(/^Draft/)
      .waitFor()
    await row(invoice).getByText('Open').waitFor()
    await row(invoice).getByRole('link', { name: invoice }).click()
    await page.getByRole('heading', { level: 1, name: `Invoice ${invoice}` }).waitFor()
    const { data } = JSON.parse(
      await page.evaluate(async (id) => (await fetch(`/v1/organizations/${id}/invoices`)).text(), world.product.ready.organization.id),
    ) as { data: { total: string; subtotal: string }[] }
    const totals = page.getByRole('table', { name: /^Totals/ })
    for (const label of ['Subtotal', 'Credits applied: Welcome', 'VAT, 19 %', 'Total due, USD'])
      await totals.getByRole('row', { name: label }).waitFor()
    assert.match(await totals.getByRole('row', { name: 'Credits applied' }).innerText(), /−5\.00/)
    const due = (await totals.getByRole('row', { name: 'Total due' }).innerText()).replace(/[^\d.]/g, '')
    assert.equal(Number(due), Number(data[0]?.total))
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()])
    const csv = readFileSync(await download.path(), 'utf8')
    assert.match(csv, new RegExp(`totals,Subtotal,,,,,,${(data[0]?.subtotal ?? '').replace('.', '\\.')},USD`))
    await page.getByRole('link', { name: 'As it was issued' }).waitFor()
    const line = page.getByRole('table', { name: 'Lines' }).getByRole('link').first()
    const target = new URL((await line.getAttribute('href')) ?? '', base())
    assert.deepEqual([target.searchParams.get('from'), target.pathname], [`${LAST_MONTH}-01`, new URL(`${base()}/overview`).pathname])

    await page.emulateMedia({ media: 'print' })
    assert.ok(!(await page.getByRole('navigation', { name: 'Pages' }).isVisible()))
    assert.ok(!(await page.getByRole('button', { name: 'CSV' }).isVisible()))
    await page.emulateMedia({ media: 'screen' })
    for (const format of ['A4', 'Letter'] as const) {
      const pdf = await page.pdf({ format })
      assert.ok(pdf.subarray(0, 5).toString() === '%PDF-' && pdf.length > 10_000, format)
    }
  })

  test('a draft month says until when it counts; what is missing and what is somebody else’s look the same', async () => {
    await open(`/invoices/${THIS_MONTH}`, 'Statement')
    await page.getByText('This month goes on').waitFor()
    await page.getByText('Total so far, before credits and taxes').waitFor()
    await page.goto(`${base()}/invoices/${crypto.randomUUID()}`)
    await page.getByText('This does not exist or is not open to you.').waitFor()
  })

  test('the access log reads the visit of an operator, is narrowed, checked in words and taken away', async () => {
    const operator = await world.operator(`/invoices/${LAST_MONTH}`)
    await operator.getByRole('table', { name: 'Lines' }).waitFor()
    await operator.goto(`${world.product.ready.operatorConsole}as/${world.product.ready.organization.id}/keys`)
    await operator.getByRole('heading', { level: 1, name: 'API keys' }).waitFor()
    await operator.getByRole('row', { name: /demo key/ }).waitFor()
    // Safe by absence: nothing that writes is there.
    for (const name of [/Create API key/, /^Actions for/]) {
      assert.equal(await operator.getByRole('link', { name }).count(), 0)
      assert.equal(await operator.getByRole('button', { name }).count(), 0)
    }
    await open('/access-log', 'Access log')
    const visit = page.getByRole('button', { name: new RegExp(`${OLGA} of .* viewed as you`) })
    await visit.click()
    for (const text of [`“${REASON}” · ${TICKET} · read-only`, 'API keys', 'began to view as you for 60 minutes'])
      await page.getByText(text).first().waitFor()
    await page
      .getByText(/^Statement, /)
      .first()
      .waitFor()
    await page.getByText('revoked the API key').first().waitFor()
    await page.getByRole('button', { name: 'Verify' }).click()
    await page.getByText(/^\d[\d,]* entries, unbroken since \d+ \w+ \d{4}\.$/).waitFor()
    await page.getByRole('button', { name: 'Copy signed head' }).waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()])
    const lines = readFileSync(await download.path(), 'utf8')
      .trimEnd()
      .split('\n')
    assert.equal((JSON.parse(lines.at(-1) ?? '') as { type: string }).type, 'head')
    await page.getByRole('searchbox', { name: 'Who, reason or ticket' }).fill(TICKET.toLowerCase())
    await until(async () => (await page.getByText('revoked the API key').count()) === 0, 'only her visit is left')
    await visit.waitFor()
    await page.getByRole('searchbox', { name: 'Who, reason or ticket' }).fill('nobody at all')
    await page.getByText('Nothing matches these filters.').waitFor()
    await operator.context().close()
  })

  test('support access: asked for, refused, approved and taken back, and the operator feels each of it', async () => {
    await open('/support', 'Support access')
    await page.getByRole('button', { name: 'Require approval' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Require approval' }).click()
    await page.getByText('They have to ask first').waitFor()
    const context = await world.context()
    const operator = await context.newPage()
    const ask = async (): Promise<void> => {
      await operator.goto(`${world.product.ready.operatorConsole}as/${world.product.ready.organization.id}/keys`)
      const signIn = operator.getByRole('button', { name: `Sign in as ${OLGA}` })
      await signIn.or(operator.getByLabel('Reason')).waitFor()
      if (await signIn.isVisible()) await signIn.click()
      await operator.getByLabel('Reason').fill(REASON)
      await operator.getByLabel('Ticket').fill(TICKET)
      await operator.getByRole('button', { name: 'Start viewing' }).click()
    }
    await ask()
    await operator.getByText('must approve access first').waitFor()
    await page.reload()
    await page.getByRole('button', { name: `Refuse the request of ${OLGA}` }).click()
    await page.getByText('Refused').first().waitFor()
    await ask()
    await operator.getByText('must approve access first').waitFor()
    await page.reload()
    await page.getByRole('button', { name: `Approve the request of ${OLGA}` }).click()
    await page.getByText('Approved').first().waitFor()
    await ask()
    await operator.getByRole('region', { name: /^Viewing as/ }).waitFor()
    await operator.getByRole('row', { name: /demo key/ }).waitFor()
    await page.getByRole('button', { name: `Take back the approval of ${OLGA}` }).click()
    await page.getByText('Taken back').first().waitFor()
    await operator.reload()
    await operator
      .getByText(/withdrew access|must approve|ended/)
      .first()
      .waitFor()
    assert.equal(await operator.getByRole('row', { name: /demo key/ }).count(), 0)
    await context.close()
    await page.getByRole('button', { name: 'Let them look without asking' }).click()
    await page.getByText('They need not ask').waitFor()
    await page.getByLabel('Open it for').selectOption('1')
    await page.getByRole('button', { name: 'Open window' }).click()
    await page.getByText(/^Open until /).waitFor()
    await page.getByRole('button', { name: 'Close window' }).click()
    await page.getByText('Closed', { exact: true }).waitFor()
  })

  test('a viewer sees all of it and no control that writes; a URL that writes explains itself', async () => {
    const viewer = await world.customer('/keys', { as: 'Vic Demo' })
    await viewer.getByRole('row', { name: /demo key/ }).waitFor()
    for (const path of ['/keys', '/budgets', '/support', '/start']) {
      await viewer.goto(base() + path)
      await viewer.getByRole('heading', { level: 1 }).waitFor()
      await viewer
        .getByRole('status', { name: /^Loading/ })
        .first()
        .waitFor({ state: 'detached' })
      for (const name of [/Create API key/, /New budget/, /^Actions for/, /Require approval/, /Open window/])
        assert.equal(await viewer.getByRole('button', { name }).or(viewer.getByRole('link', { name })).count(), 0, `${path} ${name}`)
    }
    for (const path of ['/keys/new', '/budgets/new', '/keys/x/revoke']) {
      await viewer.goto(base() + path)
      await viewer.getByText('Your role may not change this.').waitFor()
    }
    await viewer.context().close()
  })

  test('the snippet of Getting started works as it stands once the secret is in its place', async () => {
    await open('/start', 'Getting started')
    const { gateway, key } = world.product.ready
    const snippet = await page.getByLabel('Snippet').innerText()
    assert.ok(snippet.includes(`${gateway}/v1/chat/completions`), snippet)
    const { execFileSync } = await import('node:child_process')
    const said = execFileSync('sh', ['-c', snippet.replace(/'<secret of [^']*>'/, key)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    assert.equal((JSON.parse(said) as { object: string }).object, 'chat.completion')
    await chat({ gateway, key, stream: false, maxTokens: 5 })
    await page.getByText(/The newest record is of/).waitFor()
  })
})
