import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { allSecrets, newestSecret, serverSecretId } from './server-secret.ts'
import type { ServerSecret } from './server-secret.ts'

/** What is sealed and where it stands: it opens for the same purpose and in the same place only. */
export type SealContext = {
  /** Says which key: `web session`. */
  readonly purpose: string
  /** Bound to it, and not stored with it: a row's key, so that nobody moves it to another row. */
  readonly place: string
}

const VERSION = 1
const ID_BYTES = 6
const IV_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + ID_BYTES + IV_BYTES

/**
 * Encrypts text under a key that is derived (HKDF-SHA-256) from the newest server secret, with AES-256-GCM: version, id of the secret, IV,
 * cipher text, tag. Whoever has the database and not the secret can neither read nor make one.
 */
export function seal(serverSecret: ServerSecret, context: SealContext, text: string): Buffer {
  const secret = newestSecret(serverSecret)
  const iv = randomBytes(IV_BYTES)
  const head = Buffer.concat([Buffer.from([VERSION]), Buffer.from(serverSecretId(secret), 'hex'), iv])
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret, context), iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.concat([head, Buffer.from(context.place)]))
  return Buffer.concat([head, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** What was sealed; `undefined` when it was changed, moved, sealed for something else, or under a secret that is not listed any more. */
export function unseal(serverSecret: ServerSecret, context: SealContext, sealed: Buffer): string | undefined {
  if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== VERSION) return undefined
  const id = sealed.subarray(1, 1 + ID_BYTES).toString('hex')
  const secret = allSecrets(serverSecret).find((each) => serverSecretId(each) === id)
  if (secret === undefined) return undefined
  const head = sealed.subarray(0, HEAD_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret, context), head.subarray(1 + ID_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.concat([head, Buffer.from(context.place)]))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

function keyOf(secret: Buffer, { purpose }: SealContext): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `ascribe seal ${purpose}`, 32))
}
