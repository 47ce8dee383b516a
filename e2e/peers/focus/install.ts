import { globSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'

/** Where the validator is. */
export type InstalledValidator = {
  readonly python: string
  /** It opens a file relative to the working directory, so that it runs in here only. */
  readonly sitePackages: string
}

const PEER = 'focus-validator'
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
/** Only wheels, but for two pure packages that there are no wheels of. */
const SOURCES = ['--no-binary', 'focus_validator,pandasql']
/** Older ones it refuses; for later ones there are no wheels of the numpy that it wants. */
const FITS = 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 12))'

/** Installs the validator unless it is there: 25 to 80 s. @throws {PeerUnavailable} */
export async function installValidator(): Promise<InstalledValidator> {
  const dir = await installOnce({ peer: PEER, recipe: [REQUIREMENTS], install })
  return { python: join(dir, 'venv', 'bin', 'python'), sitePackages: sitePackagesIn(dir) ?? dir }
}

async function install(site: Site): Promise<void> {
  const { dir } = site
  const python = pythons().find((command) => spawnSync(command, ['-c', FITS], { stdio: 'ignore' }).status === 0)
  if (python === undefined) throw site.unavailable('it needs Python 3.12 with venv, as python3, as python3.12, or among those of pyenv')
  await site.run(python, ['-m', 'venv', join(dir, 'venv')], { what: 'making a Python environment' })
  const pip = [
    '-m',
    'pip',
    '--disable-pip-version-check',
    '--no-input',
    'install',
    '--only-binary',
    ':all:',
    ...SOURCES,
    '--requirement',
    REQUIREMENTS,
  ]
  await site.run(join(dir, 'venv', 'bin', 'python'), pip, { what: 'installing the Python packages' })
  if (sitePackagesIn(dir) === undefined) throw site.unavailable('the Python environment has no folder for packages')
}

/** The machine's own, then those that pyenv keeps but does not put in front. */
function pythons(): readonly string[] {
  const kept = globSync('.pyenv/versions/3.12*/bin/python3', { cwd: homedir() }).map((path) => join(homedir(), path))
  return ['python3', 'python3.12', ...kept]
}

function sitePackagesIn(dir: string): string | undefined {
  const [found] = globSync('lib/python3*/site-packages', { cwd: join(dir, 'venv') })
  return found === undefined ? undefined : join(dir, 'venv', found)
}
