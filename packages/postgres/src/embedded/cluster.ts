import { spawn } from 'node:child_process'
import { chown, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from '@ascribe/kit'
import { DataVersionError, EmbeddedFailedError, EmbeddedUnavailableError } from '../errors.ts'
import { SERVER_ENV, commandAs, runCommand } from './command.ts'
import { POSTGRES_MAJOR } from './native.ts'
import type { NativeTools } from './native.ts'
import { removeStalePid } from './postmaster.ts'
import type { RunAs } from './run-as.ts'

/** The one role of the embedded server. */
export const SERVER_USER = 'ascribe'

/** A log larger than this is set aside when the server starts; the one before it is dropped. */
const LOG_BYTES_MAX = 10_000_000
/** How often a starting server is asked whether it answers. */
const POLL_MS = 10

/** Settings of the server, as `name=value` pairs; numbers carry PostgreSQL's units. */
export type ServerSettings = Readonly<Record<string, string>>

/**
 * Small, local and durable. Statements and their values stay out of the log: errors reach the program that caused them.
 * Parallel workers are off because they need more shared memory than a container's 64 MB of /dev/shm; `io_method=sync` because
 * three more processes gain nothing at this size. Pages are taken to cost the same in any order, as in memory and on an SSD: at the default,
 * an hour's records were read by an index that has three hours of them.
 */
const DEFAULT_SETTINGS: ServerSettings = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '64MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  autovacuum: 'on',
  max_wal_size: '512MB',
  random_page_cost: '1.1',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  io_method: 'sync',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: 'off',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  cluster_name: 'ascribe',
}

/**
 * The major version of the database in `cluster`, or undefined when there is none.
 * @throws {DataVersionError} when it is not ours
 */
export async function checkDataVersion(cluster: string): Promise<number | undefined> {
  let text: string
  try {
    text = await readFile(join(cluster, 'PG_VERSION'), 'utf8')
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined
    throw thrown
  }
  const major = Number.parseInt(text, 10)
  if (major === POSTGRES_MAJOR) return major
  throw new DataVersionError(
    `Cannot open the database in ${cluster}: PostgreSQL ${text.trim()} made it and this program brings PostgreSQL ${POSTGRES_MAJOR}; write a backup with the version of the program that made it, restore that into an empty folder with this one, or set DATABASE_URL to a server of that version`,
  )
}

export type InitOptions = {
  readonly tools: NativeTools
  readonly init: RunAs
  /** Who is to have it, if that is not whoever makes it. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  readonly sync: boolean
}

/** Makes a new database in `cluster`. It is made under another name, so that one that was cut short is never taken for whole. */
export async function initCluster(cluster: string, { tools, init, owner, sync }: InitOptions): Promise<void> {
  const parent = join(cluster, '..')
  for (const name of await readdir(parent)) {
    if (name.startsWith('cluster.init-')) await rm(join(parent, name), { recursive: true, force: true })
  }
  const unfinished = `${cluster}.init-${process.pid}-${Math.trunc(performance.timeOrigin + performance.now())}`
  await mkdir(unfinished, { mode: 0o700 })
  if (init.kind === 'user') await chown(unfinished, init.uid, init.gid)
  // The builtin provider of PostgreSQL 17 and later: its order never depends on the machine's C library. The rest is C.
  const args = [
    '-D',
    unfinished,
    '-U',
    SERVER_USER,
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  args.push('--auth-local=trust', '--auth-host=reject', '--no-instructions')
  // With the numbers given, initdb need not find out by trying what the machine can bear.
  args.push('-c', 'max_connections=60', '-c', 'shared_buffers=64MB', ...(sync ? [] : ['--no-sync']))
  const made = await runCommand(commandAs(init, tools.initdb, args))
  if (made.code !== 0) {
    await rm(unfinished, { recursive: true, force: true })
    const why = made.stderr.trim().split('\n').slice(-5).join('; ')
    throw new EmbeddedUnavailableError(
      `Cannot make the embedded database in ${parent}: ${why}; mend that, or set DATABASE_URL to a PostgreSQL server`,
    )
  }
  if (owner !== undefined) await giveCluster(unfinished, owner)
  await rename(unfinished, cluster)
  if (sync) await syncFolder(parent)
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

/** Gives a database to the user that is to run it, should it belong to another. */
export async function giveCluster(cluster: string, owner: { readonly uid: number; readonly gid: number }): Promise<void> {
  if ((await stat(cluster)).uid === owner.uid) return
  for (const entry of await readdir(cluster, { recursive: true })) await chown(join(cluster, entry), owner.uid, owner.gid)
  await chown(cluster, owner.uid, owner.gid)
}

export type StartOptions = {
  readonly cluster: string
  readonly socketDir: string
  readonly logFile: string
  readonly tools: NativeTools
  readonly runAs: RunAs
  readonly settings: ServerSettings
  readonly timeoutMs: number
  /** Whether the server answers by now. */
  readonly probe: () => Promise<boolean>
}

/**
 * Starts a server and waits until it answers; a recovery is part of that. The caller holds the lock and has made sure that none runs.
 * @throws {EmbeddedFailedError} with the last words of the server's log
 */
export async function startServer(options: StartOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs
  await rotateLog(options.logFile)
  for (;;) {
    await removeStalePid(options.cluster)
    const failure = await startOnce(options, deadline)
    if (failure === undefined) return
    // Sessions of a server that was killed outlive it for a moment, and the new one finds their shared memory.
    const mayPass = /pre-existing shared memory block|lock file ".*" already exists/.test(failure)
    if (!mayPass || performance.now() > deadline) {
      throw new EmbeddedFailedError(`Cannot start the embedded database: ${failure}; see ${options.logFile}`)
    }
    await delay(POLL_MS * 5)
  }
}

async function startOnce(options: StartOptions, deadline: number): Promise<string | undefined> {
  const { cluster, logFile, probe } = options
  await using log = await open(logFile, 'a', 0o600)
  const logStart = (await log.stat()).size
  const exited = spawnServer(options, log.fd)
  let exit: string | undefined
  void exited.then((how) => (exit = how))
  while (!(await probe())) {
    if (exit !== undefined) return `${lastWords(await readFrom(logFile, logStart)) || exit}`
    if (performance.now() > deadline) return `it does not answer after ${options.timeoutMs} ms, in ${cluster}`
    await delay(POLL_MS)
  }
  return undefined
}

/** Starts the program in a session of its own: a Ctrl-C in the terminal must not reach it. Resolves when it has ended. */
function spawnServer(options: StartOptions, logFd: number): Promise<string> {
  const { cluster, socketDir, tools, runAs, settings } = options
  const all = { ...DEFAULT_SETTINGS, ...settings, unix_socket_directories: socketDir }
  const args = ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const command = commandAs(runAs, tools.postgres, args)
  const child = spawn(command.file, [...command.args], {
    env: SERVER_ENV,
    cwd: '/',
    detached: true,
    stdio: ['ignore', logFd, logFd],
    ...(command.uid === undefined ? {} : { uid: command.uid }),
    ...(command.gid === undefined ? {} : { gid: command.gid }),
  })
  // The program may end and leave the server to others. While it runs, Node reaps the child.
  child.unref()
  const { promise, resolve } = Promise.withResolvers<string>()
  child.on('error', (error) => resolve(error.message))
  child.on('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`))
  return promise
}

async function readFrom(file: string, start: number): Promise<string> {
  return (await readFile(file)).subarray(start).toString('utf8')
}

/** The complaints in a piece of the log, without their time stamps. */
function lastWords(log: string): string {
  const complaints = log.split('\n').filter((line) => /FATAL|PANIC|ERROR|error/.test(line))
  return complaints
    .slice(-3)
    .map((line) => line.replace(/^.*?(FATAL|PANIC|ERROR): {2}/, ''))
    .join('; ')
    .slice(0, 500)
}

async function rotateLog(file: string): Promise<void> {
  try {
    if ((await stat(file)).size > LOG_BYTES_MAX) await rename(file, `${file}.1`)
  } catch (thrown) {
    if (errorCode(thrown) !== 'ENOENT') throw thrown
  }
}
