import { createHash } from 'node:crypto'
import { cpSync, createReadStream, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import type { Need } from '../support/system-packages.ts'
import { PeerUnavailable } from '../support/unavailable.ts'
import { databaseIn, launch } from './launch.ts'

/** Where the server is, and a database into which its realms have been imported. */
export type InstalledKeycloak = {
  /** Read by every server that runs, written by none. */
  readonly home: string
  /** Folder of the database that each server begins with a copy of. */
  readonly template: string
}

/** The server, or the reason for which a suite that needs it is skipped. */
export type KeycloakAvailability = { readonly installed: InstalledKeycloak; readonly skip: false } | { readonly skip: string }

const SOURCE = join(import.meta.dirname, 'source.txt')
const REALMS = ['cloud-realm.json', 'customers-realm.json'].map((name) => join(import.meta.dirname, name))
const NEEDS: readonly Need[] = [
  { what: 'a Java runtime, 17 or later (java)', probe: ['java', '-version'], debian: ['default-jre-headless'] },
  { what: 'Maven (mvn)', probe: ['mvn', '-version'], debian: ['maven'] },
]

export async function keycloak(): Promise<KeycloakAvailability> {
  try {
    return { installed: await installKeycloak(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

/** Installs Keycloak unless it is there: about a minute, 180 MB to download. @throws {PeerUnavailable} */
export async function installKeycloak(): Promise<InstalledKeycloak> {
  const dir = await installOnce({ peer: 'keycloak', recipe: [SOURCE, ...REALMS, join(import.meta.dirname, 'launch.ts')], install })
  return { home: join(dir, 'server'), template: join(dir, 'template') }
}

async function install(site: Site): Promise<void> {
  await need(site, NEEDS)
  const home = join(site.dir, 'server')
  for (const left of ['server', 'template', 'unpacked', 'archive']) rmSync(join(site.dir, left), { recursive: true, force: true })
  await fetchServer(site, home)
  mkdirSync(join(home, 'data', 'import'), { recursive: true })
  for (const realm of REALMS) cpSync(realm, join(home, 'data', 'import', basename(realm)))
  // The configuration is compiled once; afterwards the server starts from what was compiled. Importing takes longer than the rest
  // of a start, so that it is done once too, into the database that every start copies.
  await site.run('sh', [join(home, 'bin', 'kc.sh'), 'build', '--db=dev-file', '--cache=local'], { what: 'building Keycloak' })
  const template = join(site.dir, 'template')
  const server = await launch({ home, database: databaseIn(join(site.dir, 'unpacked')), isImporting: true })
  // The file of the database is whole only after the server has closed it.
  await server.stop()
  renameSync(join(site.dir, 'unpacked'), template)
}

async function fetchServer(site: Site, home: string): Promise<void> {
  const [artifact = '', expected = ''] = readFileSync(SOURCE, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const archive = join(site.dir, 'archive')
  const args = ['-B', '-q', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${archive}`]
  await site.run('mvn', args, { what: 'downloading Keycloak' })
  const [file] = globSync('*.tar.gz', { cwd: archive })
  if (file === undefined) throw site.unavailable('the archive of Keycloak is not there after its download')
  const hash = createHash('sha256')
  await pipeline(createReadStream(join(archive, file)), hash)
  if (hash.digest('hex') !== expected) throw site.unavailable(`the archive ${file} is not the one that source.txt names`)
  const unpacked = join(site.dir, 'unpacked')
  mkdirSync(unpacked)
  await site.run('tar', ['-xzf', join(archive, file), '-C', unpacked, '--strip-components', '1'], { what: 'unpacking Keycloak' })
  renameSync(unpacked, home)
  rmSync(archive, { recursive: true })
}
