import { statSync } from 'node:fs'
import type { Logger } from '@ascribe/kit'
import { isApiKey, publicIdOf } from './api-key.ts'
import { readPolicyFile } from './policy-file.ts'
import type { PolicyKey } from './policy.ts'

/** How often the file is looked at, in milliseconds: a revoked key works no longer than this. */
export const KEY_POLL_MS = 200

export type KeyDirectoryOptions = {
  /** Of the policy snapshot; it need not exist yet. */
  readonly path: string
  readonly serverSecret: Buffer
  readonly logger: Logger
}

/** The API keys in force, from the policy snapshot on disk. Never waits for anybody. */
export type KeyDirectory = Disposable & {
  /** The active key behind `token`. An unknown one makes it look at the file first, so that a fresh key works at once. */
  find(token: string): PolicyKey | undefined
  /** Of the snapshot in force; 0: none has been read. */
  readonly version: number
  readonly size: number
}

/** Follows the policy snapshot at `path`. A file that cannot be used is logged once, and the last good one stays in force. */
export function openKeyDirectory(options: KeyDirectoryOptions): KeyDirectory {
  const { path, serverSecret, logger } = options
  let keys = new Map<string, PolicyKey>()
  let ledger = ''
  let version = 0
  let stamp: string | undefined

  function look(): void {
    const now = stampOf(path)
    if (now === undefined || now === stamp) return
    stamp = now
    try {
      const snapshot = readPolicyFile(path)
      if (snapshot === undefined || (snapshot.ledger === ledger && snapshot.version < version)) return
      keys = new Map(snapshot.keys.map((key) => [key.publicId, key]))
      ledger = snapshot.ledger
      version = snapshot.version
      logger.debug('policy snapshot in force', { version, keys: keys.size })
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
      return key !== undefined && isApiKey(token, key.hmac, serverSecret) ? key : undefined
    },
    get version() {
      return version
    },
    get size() {
      return keys.size
    },
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
