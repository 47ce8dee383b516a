import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '@ascribe/kit'
import { ServerSecretError } from './errors.ts'

const SECRET_BYTES = 32

/**
 * The secret under which API keys are stored (HMAC-SHA-256), from the file at `path`: 64 hex digits. Made on first use,
 * readable by its owner alone, and never half written: two processes that come at once read the same one.
 * Whoever loses this file makes every key useless; whoever steals the database without it cannot test a key.
 * @throws {ServerSecretError} when the file holds something else
 */
export function readServerSecret(path: string): Buffer {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let text = readIfThere(path)
  if (text === undefined) {
    create(path)
    text = readIfThere(path) ?? ''
  }
  return parseServerSecret(text, path)
}

/** Parses 64 hex digits, with surrounding white space allowed. `source` names where they came from, for the error. */
export function parseServerSecret(text: string, source: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(text.trim())) {
    throw new ServerSecretError(`Cannot use the server secret in ${source}: it is not 64 hex digits`)
  }
  return Buffer.from(text.trim(), 'hex')
}

function create(path: string): void {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(temporary, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, { flag: 'wx', mode: 0o600, flush: true })
  try {
    // Not a rename: a link fails when another process was first, and then its secret is the one.
    linkSync(temporary, path)
  } catch (cause) {
    if (errorCode(cause) !== 'EEXIST') throw new ServerSecretError(`Cannot store the server secret at ${path}`, { cause })
  } finally {
    rmSync(temporary, { force: true })
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw new ServerSecretError(`Cannot read the server secret at ${path}`, { cause })
  }
}
