import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { PeerUnavailable } from '../support/unavailable.ts'

/** The Python that has both clients, or the reason for which the suite that needs it is skipped. */
export type CloudClientsAvailability = { readonly python: string; readonly skip: false } | { readonly skip: string }

const PEER = 'the Python clients of CloudSigma'
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const FITS = 'import ensurepip, sys, venv; sys.exit(not (3, 9) <= sys.version_info[:2] < (4, 0))'

/** Installs the maker's client and libcloud unless they are there: some 10 s. */
export async function cloudClients(): Promise<CloudClientsAvailability> {
  try {
    const dir = await installOnce({ peer: 'cloud-clients-python', recipe: [REQUIREMENTS], install })
    return { python: pythonIn(dir), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

const pythonIn = (dir: string): string => join(dir, 'venv', 'bin', 'python')

async function install(site: Site): Promise<void> {
  if (spawnSync('python3', ['-c', FITS], { stdio: 'ignore' }).status !== 0)
    throw site.unavailable(`${PEER} need Python 3.9 or later with venv`)
  await site.run('python3', ['-m', 'venv', join(site.dir, 'venv')], { what: 'making a Python environment' })
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input', 'install', '--requirement', REQUIREMENTS]
  await site.run(pythonIn(site.dir), pip, { what: 'installing the Python packages' })
}
