import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startEmbedded } from '../src/embedded/embedded.ts'
import type { EmbeddedOptions, EmbeddedPostgres } from '../src/embedded/embedded.ts'
import { findPostmaster, stopPostmaster } from '../src/embedded/postmaster.ts'
import { testTryLock } from '../src/testing/lock.ts'

/** Waits until `check` gives a value that is not false; fails after 15 s, naming what was awaited. */
export async function until<T>(what: string, check: () => Promise<T | false> | T | false): Promise<T> {
  const deadline = performance.now() + 15_000
  for (;;) {
    const value = await check()
    if (value !== false) return value
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(10)
  }
}

export type Folder = AsyncDisposable & { readonly path: string }

/** A temporary folder; a server that runs in its `data` is stopped before it is removed. */
export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'ascribe-pg-'))
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const cluster of ['data/cluster', 'cluster']) {
        const pid = await findPostmaster(join(path, cluster)).catch(() => undefined)
        if (pid !== undefined) await stopPostmaster(join(path, cluster))
      }
      await rm(path, { recursive: true, force: true })
    },
  }
}

const idle: Folder[] = []

/** A folder with `data`, in which a database is that does not run. Used again by later tests, because making one takes a second. */
export async function preparedFolder(): Promise<Folder & { readonly dataDir: string }> {
  const folder = idle.pop() ?? (await prepare())
  const dataDir = join(folder.path, 'data')
  return {
    path: folder.path,
    dataDir,
    async [Symbol.asyncDispose]() {
      await stopPostmaster(join(dataDir, 'cluster'))
      idle.push(folder)
    },
  }
}

async function prepare(): Promise<Folder> {
  const folder = await temporaryFolder()
  const server = await start({ dataDir: join(folder.path, 'data'), settings: { fsync: 'off' } })
  await server.release()
  return folder
}

/** Call in an `after` hook of every file that uses {@link preparedFolder}. */
export async function dropPrepared(): Promise<void> {
  for (const folder of idle.splice(0)) await folder[Symbol.asyncDispose]()
}

export function start(options: Partial<EmbeddedOptions> & { readonly dataDir: string }): Promise<EmbeddedPostgres> {
  return startEmbedded({ tryLock: testTryLock, ...options })
}

/** Another process that holds a share in the server of a folder. */
export type User = AsyncDisposable & {
  readonly child: ChildProcess
  readonly started: string
  /** Sends a word, awaits the answer: `release`, `ensure`, `pid`. */
  ask(word: string): Promise<string>
}

export async function spawnUser(
  dataDir: string,
  options: { readonly env?: Record<string, string>; readonly uid?: number; readonly nativePackage?: string } = {},
): Promise<User> {
  const program = fileURLToPath(new URL('user-program.ts', import.meta.url))
  const { env = {}, uid, nativePackage = '' } = options
  const child = spawn(process.execPath, ['--no-warnings', program, dataDir, nativePackage], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const exited = once(child, 'exit')
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const answer = await answers.next()
    if (answer.done === true) throw new Error('the other process ended without an answer')
    return answer.value
  }
  return {
    child,
    started: await next(),
    async ask(word) {
      child.stdin.write(`${word}\n`)
      return next()
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
