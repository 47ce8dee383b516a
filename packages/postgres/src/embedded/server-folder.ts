import { chown, mkdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SocketTarget } from '../connection.ts'
import { EmbeddedFailedError } from '../errors.ts'
import { SERVER_USER, checkDataVersion, giveCluster, initCluster, startServer } from './cluster.ts'
import type { ServerSettings } from './cluster.ts'
import { findNativePackage, prepareNative } from './native.ts'
import { findPostmaster, stopPostmaster } from './postmaster.ts'
import { answers, connect } from './presence.ts'
import { findUnshare, planRunAs, readAncestors, readOwner, readUsers } from './run-as.ts'
import type { RunAsPlan } from './run-as.ts'
import { prepareSocketDir, recallSocketDir } from './socket-dir.ts'
import { endClient } from '../listen.ts'

/** How the server came to run: made and started, started, or found running. */
export type StartKind = 'initialised' | 'started' | 'adopted'

export type BringUpOptions = {
  /** Absolute, links resolved: {@link openFolder}. */
  readonly folder: string
  readonly database: string
  readonly settings: ServerSettings
  readonly timeoutMs: number
  /** The folder of the platform package. */
  readonly nativePackage: string | undefined
  /** Where to look for `unshare`. */
  readonly unsharePaths: readonly string[] | undefined
}

/** A server that lives but has had no socket for this long has lost it, to a cleaner of temporary folders for example. */
const MUTE_MS_MAX = 5_000
const POLL_MS = 10

/** The databases of PostgreSQL's own; presence and administration go there. */
const MAINTENANCE_DATABASE = 'postgres'

export const clusterOf = (folder: string): string => join(folder, 'cluster')

export function maintenanceTarget(socketDir: string): SocketTarget {
  return { socketDir, user: SERVER_USER, database: MAINTENANCE_DATABASE }
}

/** Makes the folder if need be, owner only, and gives its real path: the server compares paths as text. */
export async function openFolder(dataDir: string): Promise<string> {
  await mkdir(resolve(dataDir), { recursive: true, mode: 0o700 })
  return realpath(dataDir)
}

/** The socket of a server that answers, or undefined. */
export async function findServer(folder: string): Promise<string | undefined> {
  const socketDir = await recallSocketDir(folder)
  if (socketDir === undefined) return undefined
  return (await answers(maintenanceTarget(socketDir), clusterOf(folder))) ? socketDir : undefined
}

/** Makes sure that a server runs on the folder: finds it, starts it, or makes it. The caller holds the file lock. */
export async function bringUp(options: BringUpOptions): Promise<{ readonly kind: StartKind; readonly socketDir: string }> {
  const { folder, database } = options
  const cluster = clusterOf(folder)
  const version = await checkDataVersion(cluster)
  const found = version === undefined ? undefined : await findServer(folder)
  if (found !== undefined) {
    await ensureDatabase(found, database)
    return { kind: 'adopted', socketDir: found }
  }
  const survivor = version === undefined ? undefined : await waitForSurvivor(options)
  if (survivor !== undefined) {
    await ensureDatabase(survivor, database)
    return { kind: 'adopted', socketDir: survivor }
  }
  const socketDir = await start(options, version === undefined)
  await ensureDatabase(socketDir, database)
  return { kind: version === undefined ? 'initialised' : 'started', socketDir }
}

/** A server that lives without answering is starting, recovering or stopping: its starter or stopper was killed. Waits for what it becomes. */
async function waitForSurvivor({ folder, timeoutMs }: BringUpOptions): Promise<string | undefined> {
  const cluster = clusterOf(folder)
  const deadline = performance.now() + timeoutMs
  const muteUntil = performance.now() + MUTE_MS_MAX
  for (;;) {
    const pid = await findPostmaster(cluster)
    if (pid === undefined) return undefined
    const socketDir = await findServer(folder)
    if (socketDir !== undefined) return socketDir
    if (performance.now() > muteUntil && (await hasNoSocket(folder))) {
      await stopPostmaster(cluster)
      return undefined
    }
    if (performance.now() > deadline) {
      throw new EmbeddedFailedError(
        `Cannot use the embedded database: its server, process ${pid}, runs but has not answered for ${timeoutMs} ms`,
      )
    }
    await delay(POLL_MS)
  }
}

async function hasNoSocket(folder: string): Promise<boolean> {
  const socketDir = await recallSocketDir(folder)
  return socketDir === undefined || (await readOwner(join(socketDir, '.s.PGSQL.5432'))) === undefined
}

async function start(options: BringUpOptions, isNew: boolean): Promise<string> {
  const { folder, settings, timeoutMs } = options
  const cluster = clusterOf(folder)
  const { server: runAs, init } = await choosePlan(options)
  const owner = runAs.kind === 'user' ? runAs : undefined
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid)
  const tools = await prepareNative(options.nativePackage ?? findNativePackage(), { sideFolder: folder, runAs })
  if (isNew) {
    // Whoever makes the database has to pass through the folder, which is owner only.
    if (init.kind === 'user') await chown(folder, init.uid, init.gid)
    await initCluster(cluster, { tools, init, owner, sync: settings['fsync'] !== 'off' })
  }
  if (owner !== undefined) {
    await chown(folder, owner.uid, owner.gid)
    await giveCluster(cluster, owner)
  }
  const socketDir = await prepareSocketDir(folder, owner)
  const probe = (): Promise<boolean> => answers(maintenanceTarget(socketDir), cluster)
  await startServer({ cluster, socketDir, logFile: join(folder, 'postgres.log'), tools, runAs, settings, timeoutMs, probe })
  return socketDir
}

async function choosePlan({ folder, unsharePaths }: BringUpOptions): Promise<RunAsPlan> {
  // Windows has no uids; no platform package fits it.
  const euid = process.geteuid?.() ?? -1
  const users = await readUsers()
  const needsUnshare = euid === 0 || (users !== undefined && !users.has(euid))
  return planRunAs({
    euid,
    cluster: await readOwner(clusterOf(folder)),
    ancestors: await readAncestors(folder),
    unshare: needsUnshare ? await findUnshare(unsharePaths) : undefined,
    users,
  })
}

/** Also after a start that was cut short between making the server and making the database. */
async function ensureDatabase(socketDir: string, database: string): Promise<void> {
  const client = await connect(maintenanceTarget(socketDir), 'ascribe start')
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [database])
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`)
  } finally {
    await endClient(client)
  }
}
