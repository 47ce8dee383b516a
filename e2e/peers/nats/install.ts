import { join } from 'node:path'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import type { Need } from '../support/system-packages.ts'

const RECIPE = [join(import.meta.dirname, 'go.mod'), join(import.meta.dirname, 'go.sum')]
const MODULE = 'github.com/nats-io/nats-server/v2'
/** Debian's nats-server is of 2022; go downloads the toolchain that go.mod asks for by itself. */
const NEEDS: readonly Need[] = [{ what: 'go, 1.21 or later', probe: ['go', 'version'], debian: ['golang-go'] }]

/** Builds nats-server unless it is there, about a minute of processor time; gives its path. @throws {PeerUnavailable} */
export async function installNats(): Promise<string> {
  return join(await installOnce({ peer: 'nats-server', recipe: RECIPE, install }), 'nats-server')
}

async function install(site: Site): Promise<void> {
  await need(site, NEEDS)
  const build = ['build', '-C', import.meta.dirname, '-mod=readonly', '-trimpath', '-o', join(site.dir, 'nats-server'), MODULE]
  await site.run('go', build, { what: 'building nats-server' })
}
