import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { temporaryDir } from '../support/product.ts'
import { chromium } from './chromium/chromium.ts'
import { MODELS, USAGE_DAYS, reportUsage, usageFiles } from './console/usage.ts'
import type { ReportedUsage } from './console/usage.ts'
import { consoleWorld } from './console/world.ts'
import type { ConsoleWorld } from './console/world.ts'
import { until } from './support/until.ts'

// A customer reads, breaks down and takes away what was used: the real API and ledger, sixty days of usage.

const available = await chromium()

describe('the overview as a customer reads it', { skip: available.skip, timeout: 180_000 }, () => {
  const files = temporaryDir()
  let world: ConsoleWorld
  let usage: ReportedUsage
  let page: Page
  let range: { readonly from: string; readonly to: string }

  before(async () => {
    world = await consoleWorld(available.skip === false ? available.program : '', ...usageFiles(files.path))
    usage = await reportUsage(world.product)
    // Whole days alone: today goes on while the test runs.
    const day = (ago: number): string => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10)
    range = { from: day(20), to: day(1) }
    page = await world.customer(`/overview?from=${range.from}&to=${range.to}`, { acceptDownloads: true })
    await table().getByRole('row', { name: MODELS[0] }).waitFor()
  })
  after(async () => {
    assert.deepEqual(world.problems, [])
    await world[Symbol.asyncDispose]()
    files[Symbol.dispose]()
  })

  const table = (): Locator => page.getByRole('table', { name: /^(Cost|Tokens|VM hours).* by / }).first()
  const drawer = (): Locator => page.locator('.ui-drawer[role=dialog]')
  const chart = (): Locator => page.getByRole('application')
  const rows = (): Locator => table().locator('tbody tr[data-key]')
  const totalCell = (): Locator => table().locator('tfoot td').last()
  const exactTotal = async (): Promise<string> => (await totalCell().locator('[title]').getAttribute('title')) ?? ''
  const asked = (): URLSearchParams => new URL(page.url()).searchParams

  type Costs = { readonly totals: readonly { readonly amount: string }[] }
  /** What the API says of the same range. */
  async function costs(query = ''): Promise<string> {
    const { id } = world.product.ready.organization
    const url = `${world.product.ready.api}/v1/organizations/${id}/costs?from=${range.from}&to=${range.to}&grain=total${query}`
    const reply = (await (await page.request.get(url)).json()) as Costs
    return reply.totals[0]?.amount ?? '0'
  }

  test('it says what the API says, to the last digit, in figure, table and rows', async () => {
    const amount = await costs()
    assert.equal((await exactTotal()).replaceAll(',', ''), `${amount}\u00a0USD`)
    // Eight models and "Other", dearest first.
    assert.equal(await rows().count(), 9)
    const names = await rows().locator('.ov-label').allInnerTexts()
    assert.deepEqual(names.slice(0, 3), MODELS.slice(0, 3))
    assert.equal(names.at(-1), `Other (${MODELS.length + 1 - 8})`)
    const parts = await table()
      .locator('tbody [title$="USD"]')
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('title') ?? ''))
    assert.equal(sumOf(parts), nano(amount))
    const figure = await page.locator('.ov-value').first().getAttribute('title')
    assert.equal(figure, await exactTotal())
  })

  test('grouping, filters, metric and comparison are each a step of the address, which Back takes away again', async () => {
    const whole = await exactTotal()
    await page.getByRole('button', { name: 'Group by: Model' }).click()
    await page.getByRole('option', { name: 'API key' }).click()
    await table()
      .getByRole('row', { name: /prod-1/ })
      .waitFor()
    assert.equal(asked().get('by'), 'apiKey')
    await until(async () => (await exactTotal()) === whole, 'the same total by another dimension')

    await page.getByRole('button', { name: 'Filter', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Model' }).click()
    // Its list opens by itself.
    await page.getByRole('option', { name: 'mistral-large' }).click()
    await page.getByRole('option', { name: 'phi-4' }).click()
    await page.keyboard.press('Escape')
    await until(async () => asked().get('f') === 'model:mistral-large,model:phi-4', 'two keys of one filter')
    const narrowed = await costs('&model=mistral-large&model=phi-4')
    await until(async () => (await exactTotal()).replaceAll(',', '') === `${narrowed}\u00a0USD`, 'narrowed as the API is')

    await page
      .getByRole('radio', { name: 'Tokens' })
      .or(page.getByRole('button', { name: 'Tokens', exact: true }))
      .first()
      .click()
    await until(async () => asked().get('metric') === 'tokens', 'tokens')
    await page
      .getByText(/tokens$/)
      .first()
      .waitFor()

    await page.goBack()
    await until(async () => asked().get('metric') === null, 'Back leads to cost')
    await page.goBack()
    await page.goBack()
    await until(async () => asked().get('f') === null && asked().get('by') === 'apiKey', 'Back takes the filters away')
    await page.goBack()
    await table().getByRole('row', { name: MODELS[0] }).waitFor()
    assert.equal(await exactTotal(), whole)
  })

  test('a keyboard is enough: range, grouping, bar, drawer, record, and Esc back to the same bar', async () => {
    await page.getByRole('button', { name: /^Date range/ }).focus()
    await page.keyboard.press('Enter')
    await page
      .getByRole('button', { name: 'Last 14 days' })
      .or(page.getByRole('option', { name: 'Last 14 days' }))
      .first()
      .waitFor()
    await until(
      async () => (await page.evaluate("document.activeElement.closest('.ui-popover') !== null")) === true,
      'the calendar has the focus',
    )
    await page.keyboard.press('Escape')
    await until(() => hasFocus(page.getByRole('button', { name: /^Date range/ })), 'focus comes back')

    await page.keyboard.press('Tab')
    await until(() => hasFocus(page.getByRole('button', { name: 'Group by: Model' })), 'grouping is next')
    await page.keyboard.press('Enter')
    await page.getByRole('option', { name: 'Model', selected: true }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await until(async () => asked().get('by') === 'apiKey', 'another grouping')
    await page.goBack()
    await table().getByRole('row', { name: MODELS[0] }).waitFor()

    await chart().focus()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowUp')
    const said = chart().getByRole('status')
    await until(async () => (await said.innerText()).includes(MODELS[0]), 'the largest part of the day is said')
    await page.keyboard.press('ArrowDown')
    const bar = await said.innerText()
    assert.match(bar, /^\d+ \w{3}, \$[\d,.]+, 8 models and others$/)

    await page.keyboard.press('Enter')
    await drawer().getByRole('table').waitFor()
    await until(() => hasFocus(drawer().getByRole('heading')), 'the drawer has the focus')
    for (const step of [MODELS[0], 'prod-1']) {
      await drawer().getByRole('row', { name: step }).focus()
      await page.keyboard.press('Enter')
      await drawer().getByRole('heading', { name: step }).waitFor()
    }
    await drawer().locator('tbody tr[data-key]').first().focus()
    await page.keyboard.press('Enter')
    await drawer()
      .getByText(/^\$9 per 1\sM input tokens/)
      .waitFor()
    await drawer().getByText('book 1, from the beginning').first().waitFor()

    await page.keyboard.press('Escape')
    await drawer().waitFor({ state: 'detached' })
    await until(() => hasFocus(chart()), 'focus is on the chart')
    await until(async () => (await said.innerText()) === bar, 'and on the same bar')
    await page.keyboard.press('Escape')
  })

  test('from a day down to a record: each step is an address, and a link shows another browser the same', async () => {
    const day = range.to
    await page.goto(page.url().replace(/\?.*$/, `?from=${range.from}&to=${range.to}&day=${day}`))
    const top = drawer().locator('tbody tr[data-key]')
    await top.first().waitFor()
    const dayTotal = await drawer().locator('tfoot [title]').last().getAttribute('title')
    assert.equal((dayTotal ?? '').replaceAll(',', ''), `${await ofDay(day)}\u00a0USD`)
    await top.first().getByRole('button').click()
    await drawer()
      .getByRole('row', { name: /prod-2/ })
      .getByRole('button')
      .click()
    await drawer().getByRole('table', { name: 'Records, newest first' }).locator('tbody').getByRole('button').first().click()
    await drawer().getByRole('table', { name: 'Meters and the prices that were applied' }).waitFor()
    assert.match(asked().get('open') ?? '', new RegExp(`^model:${MODELS[0]}/key:${usage.keys[1]}/record:[0-9a-f-]{36}$`))
    const seen = await drawer().innerText()

    // The list says what all its records come to, as the API does.
    await page.goBack()
    const said = `&model=${MODELS[0]}&apiKey=${usage.keys[1]}`
    const strong = drawer().locator('.ov-summary strong')
    await until(async () => sumOf([(await strong.getAttribute('title').catch(() => '')) ?? '']) === nano(await ofDay(day, said)), 'the sum')
    await drawer()
      .getByText(/· [\d.,]+\sM? ?tokens? · \d+ records?$/)
      .waitFor()
    await page.goForward()
    await drawer().getByRole('table', { name: 'Meters and the prices that were applied' }).waitFor()

    const other = await world.customer(`/overview${new URL(page.url()).search}`, { as: 'Vic Demo' })
    await other.getByRole('table', { name: 'Meters and the prices that were applied' }).waitFor()
    assert.equal(await other.locator('.ui-drawer[role=dialog]').innerText(), seen)
    await other.context().close()

    await page.goBack()
    await drawer().getByRole('table', { name: 'Records, newest first' }).waitFor()
    await page.goBack()
    await page.goBack()
    await page.goBack()
    await until(async () => (await drawer().count()) === 0 || asked().get('open') === null, 'Back leads up and out')
  })

  async function ofDay(day: string, query = ''): Promise<string> {
    const { id } = world.product.ready.organization
    const url = `${world.product.ready.api}/v1/organizations/${id}/costs?from=${day}&to=${day}&grain=total${query}`
    return (((await (await page.request.get(url)).json()) as Costs).totals[0] ?? { amount: '' }).amount
  }

  test('on a phone a tap shows a day whole, a swipe rests at a day, and a key is hidden in its open row', async () => {
    const phone = await world.customer(`/overview?from=${range.from}&to=${range.to}`, { hasTouch: true })
    await phone.setViewportSize({ width: 375, height: 700 })
    await phone.locator('.ov-scroller[data-scrolls]').scrollIntoViewIfNeeded()
    for (const index of [12, 19]) {
      await phone.locator('.ov-target').nth(index).tap()
      await phone.getByRole('button', { name: 'Open day' }).waitFor()
      const box = await phone.locator('.ov-tooltip').boundingBox()
      assert.ok(box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= 375 && box.y + box.height <= 700, JSON.stringify(box))
    }
    await phone.getByRole('heading', { name: 'Overview' }).tap()
    await until(async () => (await phone.locator('.ov-tooltip').count()) === 0, 'a tap elsewhere closes it')

    // The end of what is in view is the end of a day, wherever one lets go.
    await phone.evaluate("document.querySelector('.ov-scroller').scrollBy({ left: -41 })")
    const rest = `(() => {
      const box = document.querySelector('.ov-scroller')
      const day = box.querySelector('.ov-snap').getBoundingClientRect().width
      const days = (box.scrollLeft + box.clientWidth) / day
      return Math.abs(days - Math.round(days)) * day
    })()`
    await until(async () => Number(await phone.evaluate(rest)) <= 1, 'a whole day')

    await phone.getByRole('button', { name: 'Show more' }).first().tap()
    await phone.getByRole('checkbox', { name: `Show ${MODELS[0]} in the chart` }).tap()
    await phone.getByText('1 hidden, total includes them.').waitFor()
    assert.equal(new URL(phone.url()).searchParams.get('hide'), MODELS[0])
    await phone.context().close()
  })

  test('what has no price is held aside, said, and shown record by record', async () => {
    await page.goto(page.url().replace(/\?.*$/, `?from=${range.from}&to=${range.to}`))
    const said = page.getByText(/3 records (are held aside|have no price yet)/)
    await said.waitFor()
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    const records = drawer().getByRole('table', { name: 'Records, newest first' })
    await records.waitFor()
    assert.equal(await records.locator('tbody tr[data-key]').count(), 3)
    assert.match(await records.innerText(), /not priced yet/)
    assert.match(asked().get('rec') ?? '', /^state:unpriced/)
    await page.keyboard.press('Escape')
    await drawer().waitFor({ state: 'detached' })
  })

  test('an export, opened and added up, is the page’s total: all of it and narrowed, as CSV and as FOCUS', async () => {
    for (const { search, format, column } of [
      { search: '', format: 'CSV', column: 'amount' },
      { search: '&f=apiKey:' + usage.keys[0] + ',model:phi-4,model:free-preview', format: 'CSV', column: 'amount' },
      { search: '&f=category:usage,model:mistral-large&by=resource', format: 'FOCUS 1.2', column: 'BilledCost' },
    ]) {
      await page.goto(page.url().replace(/\?.*$/, `?from=${range.from}&to=${range.to}${search}`))
      await totalCell().locator('[title]').waitFor()
      const shown = await exactTotal()
      await page.getByRole('button', { name: 'Export' }).click()
      await page.getByRole('menuitem', { name: format }).click()
      const dialog = page.getByRole('dialog', { name: 'Export' })
      await dialog.getByText(shown).first().waitFor()
      const download = page.waitForEvent('download')
      await dialog.getByRole('button', { name: format === 'CSV' ? 'Export CSV' : 'Export FOCUS' }).click()
      const file = await (await download).path()
      await dialog.getByText('exactly what this page shows').waitFor()
      const total = addUp(await readFile(file, 'utf8'), column)
      assert.equal(`${grouped(total)}\u00a0USD`, shown, search)
      await dialog.getByRole('button', { name: 'Close' }).click()
    }
  })

  /** What a table says when everything that it waits for has come. */
  async function settled(of: Locator): Promise<string> {
    await page.waitForLoadState('networkidle')
    return of.innerText()
  }

  test('an operator who opens the customer’s link sees the customer’s numbers, and the reason stands above them', async () => {
    await page.goto(page.url().replace(/\?.*$/, `?from=${range.from}&to=${range.to}&by=apiKey`))
    await totalCell().locator('[title]').waitFor()
    const operator = await world.operator(`/overview${new URL(page.url()).search}`)
    await operator.getByRole('region', { name: 'Viewing as Demo' }).waitFor()
    const seen = operator.getByRole('table', { name: /^Cost.* by API key/ })
    const own = await settled(table())
    await until(async () => (await seen.count()) === 1 && (await seen.innerText()) === own, 'the same numbers')
    await operator.context().close()
  })

  test('last month’s page is last month’s invoice, to the cent, and its export the statement, to the nano', async () => {
    const { product } = world
    const { id } = product.ready.organization
    const month = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 1, 1)).toISOString().slice(0, 7)
    const end = new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).toISOString().slice(0, 10)
    const statement = (await (await page.request.get(`${product.ready.api}/v1/organizations/${id}/statement?month=${month}`)).json()) as {
      readonly total: string
    }
    await page.goto(page.url().replace(/\?.*$/, `?from=${month}-01&to=${end}`))
    await totalCell().locator('[title]').waitFor()
    assert.equal((await exactTotal()).replaceAll(',', ''), `${statement.total}\u00a0USD`)
    for (const each of monthsUntil(month)) await product.cli('periods', 'close', '--month', each, '--yes', '--force')
    await product.cli('invoices', 'draft', '--org', id, '--month', month)
    const invoices = (await (await page.request.get(`${product.ready.api}/v1/organizations/${id}/invoices`)).json()) as {
      readonly data: readonly { readonly month: string; readonly subtotal: string }[]
    }
    await page.reload()
    await totalCell().locator('[title]').waitFor()
    assert.equal(await totalCell().innerText(), grouped(cents(nano(statement.total))).replace(/(\.\d)$/, '$10'))
    const invoice = invoices.data.find((each) => each.month === month)
    assert.equal(cents(nano(invoice?.subtotal ?? '')), cents(nano(statement.total)))
  })
})

const hasFocus = async (locator: Locator): Promise<boolean> => (await locator.and(locator.page().locator(':focus')).count()) === 1

const nano = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text
    .replaceAll(',', '')
    .replace('\u2212', '-')
    .replace(/\s*USD$/, '')
    .split('.')
  const size = BigInt(whole.replace('-', '') + fraction.padEnd(9, '0'))
  return whole.startsWith('-') ? -size : size
}
const cents = (amount: bigint): string => {
  const rounded = (amount * 2n + 10_000_000n) / 20_000_000n
  return `${rounded / 100n}.${String(rounded % 100n).padStart(2, '0')}`
}
/** Months with usage, the oldest first: they close in order. */
function monthsUntil(last: string): readonly string[] {
  const first = new Date(Date.now() - USAGE_DAYS * 86_400_000).toISOString().slice(0, 7)
  const months: string[] = []
  for (let at = new Date(`${first}-01T00:00:00Z`); at.toISOString().slice(0, 7) <= last; at.setUTCMonth(at.getUTCMonth() + 1)) {
    months.push(at.toISOString().slice(0, 7))
  }
  return months
}

const sumOf = (texts: readonly string[]): bigint => texts.reduce((sum, text) => sum + nano(text), 0n)
const grouped = (text: string): string => text.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ','))

/** Adds up a column of a CSV without reading it as the console does. */
function addUp(text: string, column: string): string {
  const cells = (line: string): readonly string[] =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const [header = '', ...lines] = text.trimEnd().split('\r\n')
  const at = cells(header).indexOf(column)
  assert.notEqual(at, -1, column)
  const total = sumOf(lines.map((line) => cells(line)[at] ?? ''))
  const digits = String(total).padStart(10, '0')
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '')
}
