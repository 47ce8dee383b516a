import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import { PeerUnavailable } from '../support/unavailable.ts'

const RECIPE = [import.meta.filename]

/** The promtool of the machine, or that of Debian's package, which is unpacked and not installed: installing it starts a server. */
async function installPromtool(): Promise<string> {
  if (works('promtool')) return 'promtool'
  return join(await installOnce({ peer: 'prometheus', recipe: RECIPE, install }), 'usr', 'bin', 'promtool')
}

/** Its path, or the reason for which a suite that needs it is skipped. */
export async function promtool(): Promise<{ readonly path: string; readonly skip: false } | { readonly skip: string }> {
  try {
    return { path: await installPromtool(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

async function install(site: Site): Promise<void> {
  await need(site, [{ what: 'dpkg-deb', probe: ['dpkg-deb', '--version'], debian: ['dpkg'] }])
  const download = ['-q', 'download', 'prometheus']
  await site.run('apt-get', download, { cwd: site.dir, what: 'apt-get download' }).catch(async () => {
    // The lists of a fresh machine are empty or old.
    await site.run('apt-get', ['update', '-q'], { what: 'apt-get update' })
    await site.run('apt-get', download, { cwd: site.dir, what: 'apt-get download' })
  })
  await site.run('sh', ['-c', 'dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb'], { cwd: site.dir, what: 'unpacking prometheus' })
  if (!works(join(site.dir, 'usr', 'bin', 'promtool'))) throw site.unavailable('its promtool does not run here')
}

function works(path: string): boolean {
  return spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0
}
