import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { PeerUnavailable } from '../support/unavailable.ts'

/** The fuzzer's command, or the reason for which the suite that needs it is skipped. */
export type SchemathesisAvailability = { readonly command: string; readonly skip: false } | { readonly skip: string }

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const FITS = 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (4, 0))'

/** Installs schemathesis unless it is there: some 20 s. */
export async function schemathesis(): Promise<SchemathesisAvailability> {
  try {
    const dir = await installOnce({ peer: 'schemathesis', recipe: [REQUIREMENTS], install })
    return { command: join(dir, 'venv', 'bin', 'schemathesis'), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

async function install(site: Site): Promise<void> {
  if (spawnSync('python3', ['-c', FITS], { stdio: 'ignore' }).status !== 0)
    throw site.unavailable('schemathesis needs Python 3.11 or later with venv')
  await site.run('python3', ['-m', 'venv', join(site.dir, 'venv')], { what: 'making a Python environment' })
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input', 'install', '--only-binary', ':all:', '--requirement', REQUIREMENTS]
  await site.run(join(site.dir, 'venv', 'bin', 'python'), pip, { what: 'installing the Python packages' })
}
