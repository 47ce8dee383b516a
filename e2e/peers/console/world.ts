import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { temporaryDir, up } from '../../support/product.ts'
import type { Product } from '../../support/product.ts'
import { TeleportControl } from '../../support/teleport-control.ts'
import { launchChromium } from '../chromium/chromium.ts'

export const OLGA = 'olga@ops.example'
export const REASON = 'the bill of last week looks too high'
export const TICKET = 'T-4711'

/** The whole product, and browsers that open its console as customers and operators do. */
export type ConsoleWorld = AsyncDisposable & {
  readonly product: Product
  readonly browser: Browser
  readonly teleport: TeleportControl
  /** Breaches of the page's policy and errors of its scripts, of every page so far: none is right. */
  readonly problems: readonly string[]
  /** A browser profile of its own. */
  context(options?: BrowserContextOptions): Promise<BrowserContext>
  /** A signed-in customer on a page of the console, by its path below `/console`: `/keys`. */
  customer(path?: string, options?: CustomerOptions): Promise<Page>
  /** An operator, signed in at Teleport, who views as the demo organization, on a page by its path below the organization: `/keys`. */
  operator(path?: string, options?: OperatorOptions): Promise<Page>
  /** Makes another organization. Gives its id. */
  organization(name: string): Promise<string>
}

export type CustomerOptions = BrowserContextOptions & {
  /** As the sandbox issuer names people. Default `Ada Demo`, an admin; `Vic Demo` may only read. */
  readonly as?: string
}

export type OperatorOptions = BrowserContextOptions & {
  /** Default: the demo organization. */
  readonly organizationId?: string
  /** In a profile that is signed in already. */
  readonly context?: BrowserContext
  readonly minutes?: 15 | 30 | 60
}

/** A page is there in a second; on two busy cores in some. */
const STEP_MS = 15_000

/** Builds the console once, before any test's clock runs. */
export function builtConsole(): void {
  const builder = join(import.meta.dirname, '../../../apps/console/build/main.ts')
  const { status, stderr } = spawnSync(process.execPath, [builder], { stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0) throw new Error(`Cannot build the console:\n${stderr.toString()}`)
}

/** Starts everything. `program`: the browser, of `chromium()`. */
export async function consoleWorld(program: string, ...args: readonly string[]): Promise<ConsoleWorld> {
  await using stack = new AsyncDisposableStack()
  const dir = stack.use(temporaryDir())
  builtConsole()
  const product = stack.use(await up(dir.path, ...args))
  const browser = await launchChromium(program)
  stack.defer(() => browser.close())
  const { ready } = product
  const problems: string[] = []
  const watched = async (options: BrowserContextOptions = {}): Promise<BrowserContext> => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    context.setDefaultTimeout(STEP_MS)
    context.on('page', (page) => watch(page, problems))
    return context
  }
  const owned = stack.move()
  return {
    product,
    browser,
    teleport: new TeleportControl(ready.teleport),
    problems,
    context: watched,
    async customer(path = '/overview', { as = 'Ada Demo', ...options } = {}) {
      const page = await (await watched(options)).newPage()
      await page.goto(`${ready.console.replace(/\/$/, '')}${path}`)
      await page.getByRole('link', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: `Sign in as ${as}` }).click()
      await page.getByRole('navigation', { name: 'Pages' }).waitFor({ state: 'attached' })
      return page
    },
    async operator(path = '/overview', { organizationId = ready.organization.id, context, minutes = 60, ...options } = {}) {
      const page = await (context ?? (await watched(options))).newPage()
      await page.goto(`${ready.operatorConsole}as/${organizationId}${path}`)
      const signIn = page.getByRole('button', { name: `Sign in as ${OLGA}` })
      const reason = page.getByRole('textbox', { name: /^Reason/ })
      const banner = page.getByRole('region', { name: /^Viewing as/ })
      await signIn.or(reason).or(banner).waitFor()
      if (await signIn.isVisible()) await signIn.click()
      await reason.or(banner).waitFor()
      // A session is of operator and organization, in whatever browser it was begun.
      if (await reason.isVisible()) await beginViewing(page, minutes)
      return page
    },
    async organization(name) {
      const headers = { authorization: `Bearer ${ready.adminKey}`, 'content-type': 'application/json' }
      const reply = await fetch(`${ready.admin}/v1/organizations`, { method: 'POST', headers, body: JSON.stringify({ name }) })
      if (reply.status !== 201) throw new Error(`Cannot make an organization: ${await reply.text()}`)
      return ((await reply.json()) as { readonly id: string }).id
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Says why, where the page asks for it, and waits until it is shown. */
export async function beginViewing(page: Page, minutes: 15 | 30 | 60 = 60): Promise<void> {
  await page.getByRole('textbox', { name: /^Reason/ }).fill(REASON)
  await page.getByRole('textbox', { name: /^Ticket/ }).fill(TICKET)
  await page.getByText(`${minutes} minutes`).click()
  await page.getByRole('button', { name: 'Start viewing' }).click()
  await page.getByRole('region', { name: /^Viewing as/ }).waitFor()
}

function watch(page: Page, problems: string[]): void {
  page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`))
  page.on('console', (message) => {
    // When a sign-in is over, Teleport sends every request to its own host, where the policy lets nothing go: that is meant.
    if (/Content.Security.Policy/i.test(message.text()) && !message.text().includes('/web/launch/'))
      problems.push(`${page.url()}: ${message.text()}`)
  })
}
