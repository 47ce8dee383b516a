import { cpSync, existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import type { Need } from '../support/system-packages.ts'

/** Where the two engines and their model are. */
export type InstalledEngines = {
  readonly llamaServer: string
  /** Folder of llama.cpp's shared libraries. */
  readonly libraries: string
  readonly python: string
  readonly model: string
}

const PEER = 'llama.cpp'
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const SOURCE = join(import.meta.dirname, 'source.txt')
const OPTIONS = join(import.meta.dirname, 'llama-options.cmake')
const MAKE_MODEL = join(import.meta.dirname, 'make-tiny-model.py')
const RECIPE = [REQUIREMENTS, SOURCE, OPTIONS, join(import.meta.dirname, 'llama-unity.cmake'), MAKE_MODEL]

const NEEDS: readonly Need[] = [
  { what: 'a C++ compiler (c++)', probe: ['c++', '--version'], debian: ['g++'] },
  {
    what: 'python3, 3.11 or later, with venv',
    probe: ['python3', '-c', 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'],
    debian: ['python3', 'python3-venv'],
  },
]

/** A compiler of one of llama.cpp's larger files takes about this much memory. */
const COMPILER_BYTES = 1.5 * 1024 ** 3

/** Installs both engines unless they are there: 4 to 8 minutes on two cores. @throws {PeerUnavailable} */
export async function installEngines(): Promise<InstalledEngines> {
  const dir = await installOnce({ peer: PEER, recipe: RECIPE, install })
  return {
    llamaServer: join(dir, 'bin', 'llama-server'),
    libraries: join(dir, 'bin'),
    python: pythonIn(dir),
    model: join(dir, 'tiny.gguf'),
  }
}

async function install(site: Site): Promise<void> {
  const { dir } = site
  await need(site, NEEDS)
  const python = pythonIn(dir)
  await site.run('python3', ['-m', 'venv', join(dir, 'venv')], { what: 'making a Python environment' })
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input']
  // Only wheels: built from source, numpy or cmake alone would take longer than everything else here.
  const requirements = ['install', '--only-binary', ':all:', '--requirement', REQUIREMENTS]
  await site.run(python, [...pip, ...requirements], { what: 'installing the Python packages' })
  await fetchSource(site, pip)
  await build(site)
  await site.run(python, [MAKE_MODEL, join(dir, 'tiny.gguf')], { what: 'making the model' })
  for (const name of ['build', 'source', 'archive']) rmSync(join(dir, name), { recursive: true, force: true })
}

async function fetchSource(site: Site, pip: readonly string[]): Promise<void> {
  const { dir } = site
  const archive = join(dir, 'archive')
  if (existsSync(join(dir, 'source', 'vendor'))) return
  // Build isolation off: pip would make a second environment, with a cmake of its own, to read the archive's name.
  const download = ['download', '--no-deps', '--no-build-isolation', '--no-binary', ':all:', '--require-hashes', '--dest', archive]
  await site.run(pythonIn(dir), [...pip, ...download, '--requirement', SOURCE], {
    what: 'downloading llama.cpp',
  })
  const [file] = globSync('*.tar.gz', { cwd: archive })
  if (file === undefined) throw site.unavailable('the source archive of llama.cpp is not there after its download')
  const unpacked = join(dir, 'unpacked')
  rmSync(unpacked, { recursive: true, force: true })
  mkdirSync(unpacked)
  await site.run('tar', ['-xzf', join(archive, file), '-C', unpacked, '--strip-components', '1'], { what: 'unpacking llama.cpp' })
  renameSync(unpacked, join(dir, 'source'))
}

async function build(site: Site): Promise<void> {
  const { dir } = site
  const tools = join(dir, 'venv', 'bin')
  const target = join(dir, 'build')
  const make = `-DCMAKE_MAKE_PROGRAM=${join(tools, 'ninja')}`
  const configure = ['-C', OPTIONS, '-S', join(dir, 'source', 'vendor', 'llama.cpp'), '-B', target, '-G', 'Ninja', make]
  await site.run(join(tools, 'cmake'), configure, { what: 'configuring llama.cpp' })
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / COMPILER_BYTES)))
  site.say(`compiling llama.cpp with ${jobs} jobs, some minutes`)
  await site.run(join(tools, 'ninja'), ['-C', target, '-j', String(jobs), 'llama-server'], { what: 'compiling llama.cpp' })
  cpSync(join(target, 'bin'), join(dir, 'bin'), { recursive: true, verbatimSymlinks: true })
  // Pure Python over these libraries: it needs no building.
  const [packages] = globSync('lib/python*/site-packages', { cwd: join(dir, 'venv') })
  if (packages === undefined) throw site.unavailable('the Python environment has no folder for packages')
  cpSync(join(dir, 'source', 'llama_cpp'), join(dir, 'venv', packages, 'llama_cpp'), { recursive: true })
}

function pythonIn(dir: string): string {
  return join(dir, 'venv', 'bin', 'python')
}
