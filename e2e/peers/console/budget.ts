import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Page, Request } from 'playwright-core'
import type { ConsoleWorld } from './world.ts'

/** What a first visit may weigh and take: design/console.md 7. Sizes in bytes, gzip level 9; times in milliseconds. */
export const BUDGET = { script: 200_000, style: 15_000, font: 50_000, usable: 1000, shift: 0.02 } as const

export type Measured = { readonly [Name in keyof typeof BUDGET]: number }

const DIST = join(import.meta.dirname, '../../../apps/console/dist')

/** A first visit of a customer who is signed in and has used something: nothing cached, until the overview shows its total, its chart and its table. */
export async function measureFirstVisit(world: ConsoleWorld): Promise<Measured> {
  const signedIn = await world.customer()
  const state = await signedIn.context().storageState()
  await signedIn.context().close()
  const visits: Measured[] = []
  // The first one warms what a server has to warm; of the others the one in the middle.
  for (let count = 0; count < VISITS; count += 1) visits.push(await visit(world, state))
  return visits.slice(1).toSorted((a, b) => a.usable - b.usable)[Math.floor((VISITS - 1) / 2)] ?? visits[0] ?? never()
}

const VISITS = 6

function never(): never {
  throw new Error('there was no visit')
}

type State = Awaited<ReturnType<ReturnType<Page['context']>['storageState']>>

async function visit(world: ConsoleWorld, storageState: State): Promise<Measured> {
  const context = await world.context({ storageState })
  const page = await context.newPage()
  const requests: Request[] = []
  page.on('request', (request) => requests.push(request))
  await page.addInitScript(`
    window.shift = 0
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value })
      .observe({ type: 'layout-shift', buffered: true })`)
  await page.goto(world.product.ready.console, { waitUntil: 'commit' })
  // Told by the page's own clock: when the numbers are first there. That nothing was used would be quicker said.
  const usable: number = await page.evaluate(`new Promise((resolve) => {
    const isThere = () => ['.ov-value', 'figure svg', 'table tfoot'].every((each) => document.querySelector('main ' + each) !== null)
    const look = () => isThere() ? resolve(performance.now()) : requestAnimationFrame(look)
    look()
  })`)
  const before = [...requests]
  await page.waitForLoadState('networkidle')
  const shift: number = await page.evaluate('window.shift')
  await context.close()
  const sizes = sizesOf(before)
  for (const name of ['script', 'style', 'font'] as const) if (sizes[name] === 0) throw new Error(`no ${name} was measured`)
  return { ...sizes, usable, shift }
}

function sizesOf(requests: readonly Request[]): Pick<Measured, 'script' | 'style' | 'font'> {
  const sizes = { script: 0, style: 0, font: 0 }
  const names = new Set(requests.map((request) => /\/assets\/([^?#]+)/.exec(request.url())?.[1] ?? ''))
  for (const name of names) {
    const path = join(DIST, 'assets', name)
    if (name === '') continue
    // Something else than what was built is served: its size is not known.
    if (!existsSync(path)) throw new Error(`${name} is not what was built`)
    if (name.endsWith('.js')) sizes.script += gzipSync(readFileSync(path), { level: 9 }).byteLength
    if (name.endsWith('.css')) sizes.style += gzipSync(readFileSync(path), { level: 9 }).byteLength
    if (name.endsWith('.woff2')) sizes.font += readFileSync(path).byteLength
  }
  return sizes
}
