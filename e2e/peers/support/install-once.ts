import { createHash } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { basename, join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { tryLock } from '@ascribe/service'
import { peersDir } from './peers-dir.ts'
import { spawnTied } from './tied-process.ts'
import type { TiedOptions } from './tied-process.ts'
import { PeerUnavailable } from './unavailable.ts'

export type InstallOptions = {
  /** Folder below the peers' folder, and the name in messages. */
  readonly peer: string
  /** Files that say what is installed and how: another recipe is installed beside this one, in a folder of its own. */
  readonly recipe: readonly string[]
  readonly install: (site: Site) => Promise<void>
  /** Default {@link peersDir}. */
  readonly root?: string
}

/** A folder where a peer is being installed. */
export type Site = {
  readonly dir: string
  /** Says on stderr what goes on. */
  say(what: string): void
  /** Runs a program to its end, its output in the log. @throws {PeerUnavailable} when it fails, with its last line */
  run(command: string, args: readonly string[], options?: TiedOptions & { readonly what: string }): Promise<void>
  /** The reason for which this peer is not there. */
  unavailable(reason: string, options?: ErrorOptions): PeerUnavailable
}

/** Nothing that we install takes this long; what does hangs. */
const COMMAND_MS_MAX = 45 * 60_000
const LOCK_POLL_MS = 250

/**
 * Installs a peer unless it is there, and gives its folder. Of two that come at once the second waits and finds the work done;
 * one that was interrupted goes on where it stopped. @throws {PeerUnavailable} with the reason
 */
export async function installOnce({ peer, recipe, install, root = peersDir() }: InstallOptions): Promise<string> {
  const dir = join(root, peer, recipeId(recipe))
  const ready = join(dir, 'ready')
  if (existsSync(ready)) return dir
  mkdirSync(dir, { recursive: true })
  using _lock = await takeLock(join(dir, 'lock'))
  if (existsSync(ready)) return dir
  const started = Date.now()
  const site = siteOf(peer, dir)
  site.say(`installing into ${dir}, once`)
  try {
    await install(site)
  } catch (cause) {
    throw cause instanceof PeerUnavailable ? cause : site.unavailable(firstLine(cause), { cause })
  }
  writeFileSync(ready, '')
  site.say(`installed in ${Math.round((Date.now() - started) / 1000)} s`)
  return dir
}

function siteOf(peer: string, dir: string): Site {
  const log = join(dir, 'install.log')
  const unavailable: Site['unavailable'] = (reason, options) => new PeerUnavailable(peer, reason, options)
  return {
    dir,
    say: (what) => void process.stderr.write(`${peer}: ${what}\n`),
    unavailable,
    async run(command, args, options) {
      await using output = logStream(log)
      output.file.write(`\n$ ${command} ${args.join(' ')}\n`)
      const child = spawnTied(command, args, options)
      let last = ''
      const note = (text: string): void => void (last = text.trim().split('\n').at(-1) || last)
      child.stdout.setEncoding('utf8').on('data', note).pipe(output.file, { end: false })
      child.stderr.setEncoding('utf8').on('data', note).pipe(output.file, { end: false })
      const patience = setTimeout(() => child.kill(), COMMAND_MS_MAX)
      const [code] = (await once(child, 'close')) as [number | null]
      clearTimeout(patience)
      const what = options?.what ?? basename(command)
      if (code !== 0) throw unavailable(`${what} failed: ${last.slice(0, 200)} (whole output in ${log})`)
    },
  }
}

function logStream(path: string): { readonly file: WriteStream } & AsyncDisposable {
  const file = createWriteStream(path, { flags: 'a' })
  return {
    file,
    async [Symbol.asyncDispose]() {
      file.end()
      await once(file, 'close')
    },
  }
}

async function takeLock(path: string): Promise<Disposable> {
  for (;;) {
    const lock = tryLock(path)
    if (lock !== undefined) return lock
    // Nothing tells when a kernel lock is free; the install that holds it takes minutes.
    await delay(LOCK_POLL_MS)
  }
}

function recipeId(files: readonly string[]): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex').slice(0, 12)
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? ''
}
