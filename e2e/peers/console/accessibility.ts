import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import type { MockSite } from './mock-site.ts'

/** A page in a state. `path`: below the base of its mode. */
export type Case = { readonly mode: 'customer' | 'operator'; readonly path: string; readonly state: string }

export type Violation = { readonly where: string; readonly rule: string; readonly targets: readonly string[] }

const ORGANIZATION = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'
const PATHS = [
  '/overview',
  '/invoices',
  '/invoices/2026-10',
  '/budgets',
  '/budgets/new',
  '/machines',
  '/keys',
  '/keys/new',
  '/members',
  '/access-log',
  '/support',
  '/start',
  '/no-such-page',
]
const DATA_STATES = [
  'normal',
  'loading',
  'new',
  'zero',
  'partial',
  'held',
  'stale',
  'trial',
  'trial-ended',
  'long-names',
  'offline',
  'not-found',
  'limited',
  'internal',
  'audit-down',
]
const CUSTOMER_STATES = ['viewer', 'several', 'signed-out']
const OPERATOR_STATES = ['no-session', 'five-minutes', 'expired', 'revoked', 'approval', 'no-role']

const of = (mode: Case['mode'], paths: readonly string[], states: readonly string[]): Case[] =>
  paths.flatMap((path) =>
    states.map((state) => ({ mode, path: mode === 'operator' && path !== '/' ? `/as/${ORGANIZATION}${path}` : path, state })),
  )

/** Every route as it normally is, and every state on the page that shows most of it. */
export const BOUNDED: readonly Case[] = [
  ...of('customer', PATHS, ['normal']),
  ...of('customer', ['/overview'], [...DATA_STATES.slice(1), ...CUSTOMER_STATES]),
  ...of('operator', ['/overview', '/keys/new', '/'], ['normal']),
  ...of('operator', ['/overview'], OPERATOR_STATES),
]

/** Every route in every state, in both modes. */
export const ALL: readonly Case[] = [
  ...of('customer', PATHS, [...DATA_STATES, ...CUSTOMER_STATES]),
  ...of('operator', [...PATHS, '/'], ['normal', 'long-names', ...OPERATOR_STATES]),
]

const WIDTHS = [1280, 375]
/** 640: 1280 at 200 %; 320: at 400 % (WCAG 1.4.10). */
const REFLOW_WIDTHS = [1280, 640, 375, 320]
const THEMES = ['light', 'dark']

/** Looks at each case in both themes and at both widths; also that nothing makes the page scroll sideways. */
export async function violationsOf(
  browser: Browser,
  site: MockSite,
  cases: readonly Case[],
  note: (text: string) => void,
): Promise<readonly Violation[]> {
  const found: Violation[] = []
  // Colours that are on their way are no colours of the design.
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
  const page = await context.newPage()
  for (const [index, each] of cases.entries()) {
    await open(page, site, each)
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 })
      for (const theme of THEMES) {
        await page.evaluate(`document.documentElement.dataset.theme = '${theme}'`)
        const where = `${each.mode} ${each.path} ${each.state} ${theme} ${width}`
        found.push(...(await look(page, where)))
      }
    }
    for (const width of REFLOW_WIDTHS) {
      await page.setViewportSize({ width, height: 900 })
      const wide = await overhang(page)
      if (wide > 0)
        found.push({ where: `${each.mode} ${each.path} ${each.state} ${width}`, rule: 'scrolls-sideways', targets: [`${wide} px`] })
    }
    if (index % 10 === 9) note(`axe: ${index + 1} of ${cases.length}`)
  }
  await context.close()
  return found
}

/** By how much the page is wider than its window, once what measures itself (charts) has drawn itself anew: some frames, on a busy machine seconds. */
async function overhang(page: Page): Promise<number> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const wide: number = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    if (wide <= 0 || Date.now() > deadline) return wide
    await page.waitForTimeout(50)
  }
}

async function open(page: Page, site: MockSite, { mode, path, state }: Case): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.goto('about:blank')
  await page.evaluate(`window.name = 'dev:${state}'`)
  await page.goto(`${site.urlOf(mode)}${path}`)
  await page.locator('h1, [role=alert], [role=status][aria-label]').first().waitFor({ state: 'attached' })
  await page.waitForLoadState('networkidle')
  // What waits before it shows a skeleton.
  await page.waitForTimeout(400)
  // What fails tries again for some seconds first: the state is what it says then, and not the skeleton before it.
  if (state !== 'loading') await page.locator('.ui-skeleton').first().waitFor({ state: 'detached' })
  await page.evaluate(axe.source)
}

type AxeResult = {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly target: readonly unknown[] }[] }[]
}

async function look(page: Page, where: string): Promise<readonly Violation[]> {
  // The developer's switch is no part of the page.
  const run = `axe.run({ exclude: [['.dev-switcher']] }, { resultTypes: ['violations'] })`
  const { violations }: AxeResult = await page.evaluate(run)
  return violations.map(({ id, nodes }) => ({ where, rule: id, targets: nodes.slice(0, 3).map(({ target }) => String(target[0])) }))
}
