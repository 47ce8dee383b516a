import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { chromium as driver } from 'playwright-core'
import type { Browser } from 'playwright-core'
import { installOnce } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import type { Need } from '../support/system-packages.ts'
import { PeerUnavailable } from '../support/unavailable.ts'

/** The browser's program, or the reason for which a suite that needs it is skipped. */
export type ChromiumAvailability = { readonly program: string; readonly skip: false } | { readonly skip: string }

/** Debian's name, then those of others. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const NEEDS: readonly Need[] = [
  {
    what: 'Chromium (chromium)',
    probe: ['sh', '-c', PROGRAMS.map((name) => `command -v ${name}`).join(' || ')],
    debian: ['chromium'],
  },
]
/**
 * Nothing but what a page asks for: no updates, no field trials, no check of the network. Names below `localhost` are the browser's own
 * matter and mean loopback; no other name is resolved.
 */
const ARGUMENTS = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
  '--no-pings',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1',
]

/** Finds Chromium, on Debian as root by installing it: 16 s. */
export async function chromium(): Promise<ChromiumAvailability> {
  try {
    await installOnce({ peer: 'chromium', recipe: [join(import.meta.dirname, 'chromium.ts')], install: (site) => need(site, NEEDS) })
    const program = PROGRAMS.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0)
    return program === undefined
      ? { skip: new PeerUnavailable('chromium', 'it was there once and is gone').message }
      : { program: pathOf(program), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

/** Starts a browser without a window. Close it. */
export function launchChromium(program: string): Promise<Browser> {
  // As root the sandbox of its processes cannot be had; it opens our own pages only.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return driver.launch({ executablePath: program, args: [...ARGUMENTS, ...asRoot] })
}

function pathOf(name: string): string {
  return spawnSync('sh', ['-c', `command -v ${name}`])
    .stdout.toString()
    .trim()
}
