import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '@ascribe/kit'
import type { Logger, TryLock } from '@ascribe/kit'
import { socketUrl } from '../connection.ts'
import type { SocketTarget } from '../connection.ts'
import { EmbeddedFailedError, toDatabaseError } from '../errors.ts'
import { SERVER_USER } from './cluster.ts'
import type { ServerSettings } from './cluster.ts'
import { withFileLock } from './file-lock.ts'
import { findPostmaster, stopPostmaster } from './postmaster.ts'
import { isUnused, takePresence } from './presence.ts'
import type { Presence } from './presence.ts'
import { bringUp, clusterOf, findServer, maintenanceTarget, openFolder } from './server-folder.ts'
import type { BringUpOptions, StartKind } from './server-folder.ts'

export type EmbeddedOptions = {
  /** Everything of the server lies in here: `cluster`, `postgres.log`, `postgres.lock`, `socket`. Made if need be; it may be shared by any number of processes. */
  readonly dataDir: string
  /** Guards starting and stopping between processes, for as long as those take. */
  readonly tryLock: TryLock
  readonly logger?: Logger
  /** Made if it is not there. Default `ascribe`. */
  readonly database?: string
  /** Whether a server that dies is started again without being asked. Default true. */
  readonly supervise?: boolean
  /** Whether `release` of the last user stops the server. Default true. */
  readonly stopWhenUnused?: boolean
  /** Settings of the server beside and above the defaults. They count for whoever starts it. */
  readonly settings?: ServerSettings
  /** For a start, recovery after a crash included, and for the wait for the lock. Default 60 s. */
  readonly timeoutMs?: number
  /** Told when the server was lost, and when it runs again. */
  readonly onChange?: (change: 'lost' | 'running') => void
  /** The folder of the platform package. Default: the installed one. */
  readonly nativePackage?: string
  /** Where to look for `unshare`, which root needs. Default: the usual places. */
  readonly unsharePaths?: readonly string[]
}

/** A share in a server that runs on a folder. */
export type EmbeddedPostgres = AsyncDisposable & {
  /** For `openDatabase`. Stays the same when the server is started again. */
  readonly target: SocketTarget
  /** The same as a URL that libpq's tools understand. */
  readonly url: string
  /** How this call found the server. */
  readonly started: StartKind
  /** The server's process now; undefined while it is down. */
  pid(): Promise<number | undefined>
  /** Starts the server again if it died. Safe at any time, from several processes at once. @throws {EmbeddedFailedError} */
  ensureRunning(): Promise<'running' | 'restarted'>
  /** Gives the share back; the last user stops the server and waits until it is gone. A second call gives the first one's answer. */
  release(): Promise<'stopped' | 'left running'>
}

const TIMEOUT_MS = 60_000
/** How long a server that lives may take to answer before it is left alone. */
const ANSWER_MS_MAX = 5_000
const POLL_MS = 10
const RESTART_MS_MIN = 20
const RESTART_MS_MAX = 5_000

/**
 * Gives a share in the real PostgreSQL server of a folder, which is made, started or joined as need be.
 * The server has a session of its own: neither Ctrl-C nor the death of this process ends it; the next user adopts one that was left.
 * @throws {EmbeddedUnavailableError} it cannot run here; the message names DATABASE_URL
 * @throws {DataVersionError} the folder belongs to another major version
 * @throws {EmbeddedFailedError}
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const folder = await openFolder(options.dataDir)
  const handle = new EmbeddedHandle(options, folder)
  await handle.start()
  return handle
}

/**
 * Stops the server of a folder if it runs and nobody uses it.
 * For whoever looks after servers that others left; users call {@link EmbeddedPostgres.release}.
 */
export async function stopIfUnused(
  options: Pick<EmbeddedOptions, 'dataDir' | 'tryLock' | 'timeoutMs'>,
): Promise<'stopped' | 'left running'> {
  const folder = await openFolder(options.dataDir)
  const lock = { tryLock: options.tryLock, path: lockOf(folder), timeoutMs: options.timeoutMs ?? TIMEOUT_MS }
  return withFileLock(lock, () => stopUnderLock(folder))
}

const lockOf = (folder: string): string => join(folder, 'postgres.lock')

async function stopUnderLock(folder: string): Promise<'stopped' | 'left running'> {
  const cluster = clusterOf(folder)
  const deadline = performance.now() + ANSWER_MS_MAX
  for (;;) {
    const socketDir = await findServer(folder)
    if (socketDir !== undefined) {
      if (!(await isUnused(maintenanceTarget(socketDir)))) return 'left running'
      break
    }
    if ((await findPostmaster(cluster)) === undefined) break
    // It lives and does not say who uses it: it recovers, or has lost its socket. Others may depend on it.
    if (performance.now() > deadline) return 'left running'
    await delay(POLL_MS)
  }
  await stopPostmaster(cluster)
  return 'stopped'
}

class EmbeddedHandle implements EmbeddedPostgres {
  readonly #options: EmbeddedOptions
  readonly #folder: string
  readonly #logger: Logger
  readonly #database: string
  readonly #stopping = new AbortController()
  #started: StartKind | undefined
  #target: SocketTarget | undefined
  #presence: Presence | undefined
  #present = false
  /** Restarts since the server last ran for long. */
  #restarts = 0
  #ensuring: Promise<'running' | 'restarted'> | undefined
  #supervising: Promise<void> = Promise.resolve()
  #releasing: Promise<'stopped' | 'left running'> | undefined

  constructor(options: EmbeddedOptions, folder: string) {
    this.#options = options
    this.#folder = folder
    this.#logger = options.logger ?? silentLogger
    this.#database = options.database ?? 'ascribe'
  }

  get started(): StartKind {
    return this.#started ?? 'adopted'
  }

  get target(): SocketTarget {
    if (this.#target === undefined) throw new EmbeddedFailedError('Cannot name the embedded database: it was not started')
    return this.#target
  }

  get url(): string {
    return socketUrl(this.target)
  }

  async start(): Promise<void> {
    const begun = performance.now()
    this.#started = await this.#locked(() => this.#join())
    this.#logger.info('embedded database ready', {
      started: this.#started,
      pid: await this.pid(),
      elapsedMs: Math.round(performance.now() - begun),
    })
    if (this.#options.supervise !== false) this.#supervising = this.#supervise()
  }

  pid(): Promise<number | undefined> {
    return findPostmaster(clusterOf(this.#folder))
  }

  ensureRunning(): Promise<'running' | 'restarted'> {
    if (this.#releasing !== undefined) {
      return Promise.reject(new EmbeddedFailedError('Cannot start the embedded database again: this share of it was released'))
    }
    this.#ensuring ??= this.#ensure().finally(() => (this.#ensuring = undefined))
    return this.#ensuring
  }

  release(): Promise<'stopped' | 'left running'> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  async #ensure(): Promise<'running' | 'restarted'> {
    return this.#locked(async () => {
      const running = (await findServer(this.#folder)) !== undefined
      if (running && this.#present) return 'running'
      return (await this.#join()) === 'adopted' ? 'running' : 'restarted'
    })
  }

  /** Under the lock: makes a server run and takes a share in it. */
  async #join(): Promise<StartKind> {
    const { settings = {}, timeoutMs = TIMEOUT_MS, nativePackage, unsharePaths } = this.#options
    const options: BringUpOptions = { folder: this.#folder, database: this.#database, settings, timeoutMs, nativePackage, unsharePaths }
    const { kind, socketDir } = await bringUp(options)
    // A target that changes (its temporary folder was taken away, and by somebody else) would strand open pools; say so instead.
    if (this.#target !== undefined && this.#target.socketDir !== socketDir) {
      throw new EmbeddedFailedError(`Cannot go on with the embedded database: its socket moved to ${socketDir}; start the program again`)
    }
    this.#target = { socketDir, user: SERVER_USER, database: this.#database }
    await this.#presence?.leave()
    const presence = await takePresence(maintenanceTarget(socketDir)).catch((thrown: unknown) => {
      throw toDatabaseError(thrown, 'join the embedded database')
    })
    this.#presence = presence
    this.#present = true
    void presence.lost.then(() => {
      if (this.#presence === presence) this.#present = false
    })
    return kind
  }

  /** The connection of the share breaks when the server dies, whoever started it: that is what is watched. */
  async #supervise(): Promise<void> {
    const { signal } = this.#stopping
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    for (;;) {
      const running = performance.now()
      await Promise.race([this.#presence?.lost, stopped])
      if (signal.aborted) return
      this.#logger.warn('embedded database lost')
      this.#options.onChange?.('lost')
      // A server that dies whenever it starts must not be started in a tight loop.
      if (performance.now() - running < RESTART_MS_MAX && this.#restarts > 0) await this.#pause(signal)
      else this.#restarts = 0
      await this.#restart(signal)
    }
  }

  async #restart(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#restarts += 1
      try {
        const outcome = await this.ensureRunning()
        this.#logger.info('embedded database runs again', { outcome, pid: await this.pid() })
        this.#options.onChange?.('running')
        return
      } catch (error) {
        if (signal.aborted) return
        this.#logger.error('embedded database cannot be started again', { error, restarts: this.#restarts })
        await this.#pause(signal)
      }
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const pauseMs = Math.min(RESTART_MS_MIN * 2 ** Math.min(this.#restarts, 20), RESTART_MS_MAX)
    await delay(pauseMs, undefined, { signal }).catch(() => {})
  }

  async #release(): Promise<'stopped' | 'left running'> {
    this.#stopping.abort()
    await this.#ensuring?.catch(() => {})
    await this.#supervising
    return this.#locked(async () => {
      await this.#presence?.leave()
      this.#presence = undefined
      return this.#options.stopWhenUnused === false ? 'left running' : stopUnderLock(this.#folder)
    })
  }

  #locked<Result>(work: () => Promise<Result>): Promise<Result> {
    const { tryLock, timeoutMs = TIMEOUT_MS } = this.#options
    return withFileLock({ tryLock, path: lockOf(this.#folder), timeoutMs }, work)
  }
}
