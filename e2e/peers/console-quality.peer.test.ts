import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { temporaryDir } from '../support/product.ts'
import { chromium, launchChromium } from './chromium/chromium.ts'
import { BOUNDED, violationsOf } from './console/accessibility.ts'
import { BUDGET, measureFirstVisit } from './console/budget.ts'
import { startMockSite } from './console/mock-site.ts'
import { reportUsage, usageFiles } from './console/usage.ts'
import { consoleWorld } from './console/world.ts'

// The bounded form of `npm run console:report`: every route, every state once. How long it takes is for the report to say, on a quiet machine.

const available = await chromium()
const program = available.skip === false ? available.program : ''

describe('the console weighs little and is open to everybody', { skip: available.skip }, () => {
  test('a first visit stays within its budget of bytes, and nothing on it jumps', { timeout: 120_000 }, async () => {
    using files = temporaryDir()
    await using world = await consoleWorld(program, ...usageFiles(files.path))
    await reportUsage(world.product)
    const { script, style, font, shift } = await measureFirstVisit(world)
    assert.ok(script <= BUDGET.script, `${script} bytes of JavaScript`)
    assert.ok(style <= BUDGET.style, `${style} bytes of style`)
    assert.ok(font <= BUDGET.font, `${font} bytes of font`)
    assert.ok(shift <= BUDGET.shift, `layout shift ${shift}`)
    assert.deepEqual(world.problems, [])
  })

  test('axe finds nothing on any route or in any state, in both themes and at both widths', { timeout: 400_000 }, async () => {
    await using site = await startMockSite()
    const browser = await launchChromium(program)
    try {
      assert.deepEqual(await violationsOf(browser, site, BOUNDED, () => {}), [])
    } finally {
      await browser.close()
    }
  })
})
