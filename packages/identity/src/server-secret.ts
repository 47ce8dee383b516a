import { createHash, randomBytes } from 'node:crypto'
import { ServerSecretError } from './errors.ts'
import { readOrMakeSecretFile } from './secret-file.ts'

const SECRET_BYTES = 32
/** Each costs an HMAC for a key that was made under none of those before it. */
const SECRETS_MAX = 4

/**
 * What keys are stored under: one secret, or several, the newest first. New keys are made under the first; those made under another one
 * work until it is taken away.
 */
export type ServerSecret = Buffer | readonly Buffer[]

/** The one that new keys are made under. */
export function newestSecret(secret: ServerSecret): Buffer {
  const [newest] = allSecrets(secret)
  if (newest === undefined) throw new ServerSecretError('Cannot use the server secret: the list is empty')
  return newest
}

export function allSecrets(secret: ServerSecret): readonly Buffer[] {
  return Buffer.isBuffer(secret) ? [secret] : secret
}

/** Tells secrets apart without giving them away: who has a key's id here knows whether the secret it needs is still listed. */
export function serverSecretId(secret: Buffer): string {
  return createHash('sha256').update('ascribe server secret ').update(secret).digest('hex').slice(0, 12)
}

/**
 * The secrets under which API keys are stored (HMAC-SHA-256), from the file at `path`: see {@link parseServerSecret}. Made on first use,
 * readable by its owner alone, and never half written: two processes that come at once read the same one.
 * Whoever loses this file makes every key useless; whoever steals the database without it cannot test a key.
 * @throws {ServerSecretError} when the file holds something else
 */
export function readServerSecret(path: string): readonly Buffer[] {
  const text = readOrMakeSecretFile(path, {
    make: () => `${randomBytes(SECRET_BYTES).toString('hex')}\n`,
    cannotRead: (cause) => new ServerSecretError(`Cannot read the server secret at ${path}`, { cause }),
    cannotStore: (cause) => new ServerSecretError(`Cannot store the server secret at ${path}`, { cause }),
  })
  return parseServerSecret(text, path)
}

/**
 * Parses 64 hex digits, or up to four times as many with white space or commas between, the newest first. `source` names where they
 * came from, for the error. @throws {ServerSecretError}
 */
export function parseServerSecret(text: string, source: string): readonly Buffer[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  const wrong = words.findIndex((word) => !/^[0-9a-f]{64}$/i.test(word))
  if (words.length === 0 || wrong !== -1) {
    const which = words.length > 1 ? ` (number ${wrong + 1} of ${words.length})` : ''
    throw new ServerSecretError(`Cannot use the server secret in ${source}: it is not 64 hex digits${which}`)
  }
  if (words.length > SECRETS_MAX) {
    throw new ServerSecretError(`Cannot use the server secrets in ${source}: there are ${words.length}, and at most ${SECRETS_MAX} may be`)
  }
  return words.map((word) => Buffer.from(word, 'hex'))
}
