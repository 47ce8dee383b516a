import { statSync } from 'node:fs'
import type { Clock, Logger } from '@ascribe/kit'
import { systemClock } from '@ascribe/kit'
import { isApiKey, publicIdOf } from './api-key.ts'
import { readPolicyFile } from './policy-file.ts'
import type { PolicyKey, PolicySnapshot } from './policy.ts'
import type { ServerSecret } from './server-secret.ts'

/** How often the file is looked at, in milliseconds: a revoked key works no longer than this. */
export const KEY_POLL_MS = 200

export type KeyDirectoryOptions = {
  /** Of the policy snapshot; it need not exist yet. */
  readonly path: string
  readonly serverSecret: ServerSecret
  readonly logger: Logger
  /** By which keys expire; default: the machine's. */
  readonly clock?: Clock
  /** Told of each snapshot when it is in force. Must not throw. */
  readonly onSnapshot?: (snapshot: PolicySnapshot) => void
}

/** The API keys in force, from the policy snapshot on disk. Never waits for anybody. */
export type KeyDirectory = Disposable & {
  /**
   * The active key behind `token`. An unknown one makes it look at the file first, so that a fresh key works at once.
   * A key ends at its stated time by this machine's clock, whether or not the settler lives.
   */
  find(token: string): PolicyKey | undefined
  /**
   * A key of an auth id that a trusted edge names, whether or not it has ended meanwhile: it says to whom the auth id belongs, and lets
   * nobody in. `undefined`: it has none.
   */
  ownerOf(authId: string): Omit<PolicyKey, 'hmac'> | undefined
  /** The snapshot in force; `undefined`: none has been read. */
  readonly snapshot: PolicySnapshot | undefined
  /** Of the snapshot in force; 0: none has been read. */
  readonly version: number
  readonly size: number
  /** Looks for a newer snapshot at once. */
  refresh(): void
}

/** Follows the policy snapshot at `path`. A file that cannot be used is logged once, and the last good one stays in force. */
export function openKeyDirectory(options: KeyDirectoryOptions): KeyDirectory {
  const { path, serverSecret, logger, clock = systemClock } = options
  let keys = new Map<string, PolicyKey>()
  /** By auth id; made when somebody asks, and then kept up to date. */
  let owners: Map<string, PolicyKey> | undefined
  let snapshot: PolicySnapshot | undefined
  let stamp: string | undefined

  function takeKeys(read: PolicySnapshot): void {
    if (read.keys === snapshot?.keys) return
    const { recent, ledger } = read
    const isPatch = recent !== undefined && snapshot?.ledger === ledger && (snapshot.keysVersion ?? -1) >= recent.since
    if (!isPatch) {
      keys = new Map(read.keys.map((key) => [key.publicId, key]))
      owners = undefined
      return
    }
    // The others stay where they are: making a map of 100,000 keys anew takes ten times as long as looking at each.
    const changed = new Set(recent.authIds)
    for (const { authId, publicId } of keys.values()) if (changed.has(authId)) keys.delete(publicId)
    for (const key of recent.keys) keys.set(key.publicId, key)
    for (const authId of changed) owners?.delete(authId)
    for (const key of recent.keys) owners?.set(key.authId, key)
  }

  function look(): void {
    const now = stampOf(path)
    if (now === undefined || now === stamp) return
    stamp = now
    try {
      const read = readPolicyFile(path, snapshot)
      if (read === undefined || (snapshot !== undefined && read.ledger === snapshot.ledger && read.version < snapshot.version)) return
      takeKeys(read)
      snapshot = read
      logger.debug('policy snapshot in force', { version: read.version, keys: keys.size })
      options.onSnapshot?.(read)
    } catch (error) {
      logger.error('policy snapshot cannot be used, the last good one stays in force', { error })
    }
  }

  look()
  const timer = setInterval(look, KEY_POLL_MS)
  timer.unref()

  return {
    find(token) {
      const publicId = publicIdOf(token)
      if (publicId === undefined) return undefined
      let key = keys.get(publicId)
      if (key === undefined) {
        // One stat, some microseconds, and only for what has the shape of a key.
        look()
        key = keys.get(publicId)
      }
      if (key === undefined || (key.expiresAt !== undefined && key.expiresAt <= clock())) return undefined
      return isApiKey(token, key.hmac, serverSecret) ? key : undefined
    },
    ownerOf(authId) {
      owners ??= new Map(keys.values().map((key) => [key.authId, key]))
      return owners.get(authId)
    },
    get snapshot() {
      return snapshot
    },
    get version() {
      return snapshot?.version ?? 0
    },
    get size() {
      return keys.size
    },
    refresh: look,
    [Symbol.dispose]() {
      clearInterval(timer)
    },
  }
}

/** Changes whenever the file does; nanosecond times, since two writes fit into a millisecond. */
function stampOf(path: string): string | undefined {
  try {
    const { mtimeNs, ino, size } = statSync(path, { bigint: true })
    return `${mtimeNs}.${ino}.${size}`
  } catch {
    return undefined
  }
}
