import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { installOnce } from './install-once.ts'
import type { Site } from './install-once.ts'
import { PeerUnavailable } from './unavailable.ts'

/** Where the programs of an installed peer are, or the reason for which the suite that needs it is skipped. */
export type PythonPeer = { readonly bin: string; readonly skip: false } | { readonly skip: string }

export type PythonPeerOptions = {
  /** Names the folder that it is installed in. */
  readonly peer: string
  /** For the reason: "X needs". */
  readonly needs: string
  /** Of requirements, as pip reads them. */
  readonly requirements: string
  /** The least 3.x that they run on. */
  readonly minor: number
  /** Of pip, besides. */
  readonly pip?: readonly string[]
}

/** Installs packages of Python into an environment of their own, unless they are there. */
export async function pythonPeer({ peer, needs, requirements, minor, pip = [] }: PythonPeerOptions): Promise<PythonPeer> {
  const binIn = (dir: string): string => join(dir, 'venv', 'bin')
  const install = async (site: Site): Promise<void> => {
    const fits = `import ensurepip, sys, venv; sys.exit(not (3, ${minor}) <= sys.version_info[:2] < (4, 0))`
    if (spawnSync('python3', ['-c', fits], { stdio: 'ignore' }).status !== 0)
      throw site.unavailable(`${needs} Python 3.${minor} or later with venv`)
    await site.run('python3', ['-m', 'venv', join(site.dir, 'venv')], { what: 'making a Python environment' })
    const args = ['-m', 'pip', '--disable-pip-version-check', '--no-input', 'install', ...pip, '--requirement', requirements]
    await site.run(join(binIn(site.dir), 'python'), args, { what: 'installing the Python packages' })
  }
  try {
    return { bin: binIn(await installOnce({ peer, recipe: [requirements], install })), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}
