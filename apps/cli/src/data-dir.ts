import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InputError, errorCode } from '@ascribe/kit'

/** Where everything of one installation lies. The folder may hold files of others: only these are ever touched. */
export type DataDir = {
  readonly root: string
  /** Held by `ascribe up` for its life. */
  readonly upLock: string
  /** Held by whoever drains the journals. */
  readonly settlerLock: string
  /** One folder for each writer. */
  readonly journal: string
  readonly postgres: string
  /** The secret under which keys are stored. */
  readonly serverSecret: string
  /** What gateways know of keys. */
  readonly policy: string
  /** Ids and keys of the demo organization, for `ascribe up` to print again. */
  readonly demo: string
  /** The trail: a line for each token that was minted or refused in the cloud. */
  readonly mintLog: string
  /** What is kept of bodies, where that is on. */
  readonly bodies: string
  /** The configuration file, unless --config names another. */
  readonly config: string
}

export function dataDirAt(path: string): DataDir {
  const root = resolve(path)
  return {
    root,
    upLock: join(root, 'up.lock'),
    settlerLock: join(root, 'settler.lock'),
    journal: join(root, 'journal'),
    postgres: join(root, 'postgres'),
    serverSecret: join(root, 'secrets', 'server-secret'),
    policy: join(root, 'policy.json'),
    demo: join(root, 'secrets', 'demo.json'),
    mintLog: join(root, 'audit', 'mints.jsonl'),
    bodies: join(root, 'bodies'),
    config: join(root, 'ascribe.yaml'),
  }
}

/** Makes the folders that must be there. @throws {InputError} when they cannot be made. */
export function prepareDataDir(dir: DataDir): void {
  try {
    mkdirSync(dir.root, { recursive: true })
    mkdirSync(dir.journal, { recursive: true, mode: 0o700 })
    mkdirSync(join(dir.root, 'secrets'), { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new InputError(`Cannot use ${dir.root} as the data directory: ${errorCode(cause) ?? 'it cannot be made'}`, {
      cause,
      hint: 'Name a folder that you may write to: --data DIR, or ASCRIBE_DATA.',
    })
  }
}
