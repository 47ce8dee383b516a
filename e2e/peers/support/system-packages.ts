import { existsSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import type { Site } from './install-once.ts'

/** Something that a peer needs of the machine. */
export type Need = {
  /** For people: `a C++ compiler (c++)`. */
  readonly what: string
  /** A command that ends with 0 where it is there. */
  readonly probe: readonly [string, ...string[]]
  /** Debian packages that bring it. */
  readonly debian: readonly string[]
}

/** Sees to it that all of it is there: on Debian as root by installing it. @throws {PeerUnavailable} that names what is missing */
export async function need(site: Site, needs: readonly Need[]): Promise<void> {
  const missing = needs.filter((one) => !has(one))
  if (missing.length === 0) return
  const packages = missing.flatMap((one) => one.debian)
  if (existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    site.say(`installing Debian packages: ${packages.join(' ')}`)
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const install = ['install', '-y', '-q', '--no-install-recommends', ...packages]
    await site.run('apt-get', install, { env, what: 'apt-get install' }).catch(async () => {
      // The lists of a fresh machine are empty or old.
      await site.run('apt-get', ['update', '-q'], { env, what: 'apt-get update' })
      await site.run('apt-get', install, { env, what: 'apt-get install' })
    })
  }
  const still = needs.filter((one) => !has(one))
  if (still.length === 0) return
  const how = `on Debian: apt-get install ${still.flatMap((one) => one.debian).join(' ')}`
  throw site.unavailable(`it needs ${still.map((one) => one.what).join(' and ')} (${how})`)
}

function has({ probe: [command, ...args] }: Need): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
