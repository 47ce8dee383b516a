import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '@ascribe/kit'

export type SecretFile = {
  /** What a new one holds. */
  readonly make: () => string
  readonly cannotRead: (cause: unknown) => Error
  readonly cannotStore: (cause: unknown) => Error
}

/** The text of the file at `path`. Made on first use, readable by its owner alone, and never half written: two processes that come at once read the same. */
export function readOrMakeSecretFile(path: string, file: SecretFile): string {
  const text = readIfThere(path, file)
  if (text !== undefined) return text
  create(path, file)
  return readIfThere(path, file) ?? ''
}

function create(path: string, { make, cannotStore }: SecretFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(temporary, make(), { flag: 'wx', mode: 0o600, flush: true })
  try {
    // Not a rename: a link fails when another process was first, and then its file is the one.
    linkSync(temporary, path)
  } catch (cause) {
    if (errorCode(cause) !== 'EEXIST') throw cannotStore(cause)
  } finally {
    rmSync(temporary, { force: true })
  }
}

function readIfThere(path: string, { cannotRead }: SecretFile): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cannotRead(cause)
  }
}
