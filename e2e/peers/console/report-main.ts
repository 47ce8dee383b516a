import { parseArgs } from 'node:util'
import { temporaryDir } from '../../support/product.ts'
import { chromium, launchChromium } from '../chromium/chromium.ts'
import { ALL, BOUNDED, violationsOf } from './accessibility.ts'
import { BUDGET, measureFirstVisit } from './budget.ts'
import { startMockSite } from './mock-site.ts'
import { reportUsage, usageFiles } from './usage.ts'
import { consoleWorld } from './world.ts'

// `npm run console:report`: what a first visit to the console weighs and takes, and what axe finds on its pages. Fails above the budget.

const HELP = `npm run console:report -- [--bounded] [--only axe|visit]

  --bounded   each route once, and each state on one page, as the peer test does: about a minute. Default: each route in each state
  --only      one of the two halves
`
const { values } = parseArgs({
  options: { bounded: { type: 'boolean', default: false }, only: { type: 'string' }, help: { type: 'boolean', default: false } },
})

async function reportVisit(program: string): Promise<boolean> {
  using files = temporaryDir()
  await using world = await consoleWorld(program, ...usageFiles(files.path))
  await reportUsage(world.product)
  const measured = await measureFirstVisit(world)
  for (const problem of world.problems) console.log(`✗ ${problem}`)
  let isWithin = world.problems.length === 0
  for (const name of ['script', 'style', 'font', 'usable', 'shift'] as const) {
    const [value, most] = [measured[name], BUDGET[name]]
    if (value > most) isWithin = false
    const unit = name === 'usable' ? ' ms' : name === 'shift' ? '' : ' bytes'
    console.log(
      `${value > most ? '✗' : '✓'} ${name.padEnd(7)} ${String(Math.round(value * 1000) / 1000).padStart(10)}${unit}, at most ${most}`,
    )
  }
  return isWithin
}

async function reportAxe(program: string): Promise<boolean> {
  await using site = await startMockSite()
  const browser = await launchChromium(program)
  try {
    const cases = values.bounded ? BOUNDED : ALL
    const found = await violationsOf(browser, site, cases, (text) => console.error(text))
    for (const { where, rule, targets } of found) console.log(`✗ ${rule}: ${where}: ${targets.join(', ')}`)
    console.log(
      `${found.length === 0 ? '✓' : '✗'} axe: ${found.length} violations on ${cases.length} pages in their states, two themes, two widths`,
    )
    return found.length === 0
  } finally {
    await browser.close()
  }
}

if (values.help) console.log(HELP)
else {
  const available = await chromium()
  if (available.skip !== false) throw new Error(available.skip)
  const isLight = values.only === 'axe' || (await reportVisit(available.program))
  const isOpen = values.only === 'visit' || (await reportAxe(available.program))
  if (!isLight || !isOpen) process.exitCode = 1
}
