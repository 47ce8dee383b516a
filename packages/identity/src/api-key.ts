import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createHmacOf } from './hmac.ts'
import { allSecrets, newestSecret, serverSecretId } from './server-secret.ts'
import type { ServerSecret } from './server-secret.ts'

const PREFIX = 'ask'
const PUBLIC_ID_LENGTH = 12
const SECRET_LENGTH = 32
// 36 characters carry 5.17 bits each: 62 bits of public id (unique in practice, checked by the ledger), 165 bits of secret.
const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'
const SHAPE = new RegExp(`^${PREFIX}_([0-9a-z]{${PUBLIC_ID_LENGTH}})_[0-9a-z]{${SECRET_LENGTH}}$`)
const BEARER = /^bearer +(\S+) *$/i

/** A key that has just been made. `key` is shown to its owner once and stored nowhere. */
export type NewApiKey = {
  /** `ask_<public id>_<secret>`, all lower-case letters and digits. */
  readonly key: string
  readonly publicId: string
  /** What is stored in its place, see {@link apiKeyHmac}. */
  readonly hmac: string
  /** Under which server secret, see {@link serverSecretId}. */
  readonly serverSecretId: string
}

/** Makes an API key with more than 128 random bits, under the newest secret. */
export function createApiKey(serverSecret: ServerSecret): NewApiKey {
  const newest = newestSecret(serverSecret)
  const publicId = randomText(PUBLIC_ID_LENGTH)
  const key = `${PREFIX}_${publicId}_${randomText(SECRET_LENGTH)}`
  return { key, publicId, hmac: apiKeyHmac(key, newest), serverSecretId: serverSecretId(newest) }
}

const hmacs = new WeakMap<Buffer, (text: string) => string>()

/** HMAC-SHA-256 (RFC 2104) of the whole key under the server secret, base64url. */
export function apiKeyHmac(key: string, serverSecret: Buffer): string {
  let hmacOf = hmacs.get(serverSecret)
  if (hmacOf === undefined) hmacs.set(serverSecret, (hmacOf = createHmacOf(serverSecret)))
  return hmacOf(key)
}

/** The public id inside a key, or `undefined` when `key` does not have the shape of one. */
export function publicIdOf(key: string): string | undefined {
  return SHAPE.test(key) ? key.slice(PREFIX.length + 1, PREFIX.length + 1 + PUBLIC_ID_LENGTH) : undefined
}

/** Whether `key` is the one whose HMAC is stored, under any of the secrets; takes the same time wherever they differ. */
export function isApiKey(key: string, storedHmac: string, serverSecret: ServerSecret): boolean {
  const stored = Buffer.from(storedHmac, 'latin1')
  for (const secret of allSecrets(serverSecret)) {
    const given = Buffer.from(apiKeyHmac(key, secret), 'latin1')
    if (given.length === stored.length && timingSafeEqual(given, stored)) return true
  }
  return false
}

/** The token of an `Authorization: Bearer …` field (RFC 6750 section 2.1; the scheme is case-insensitive). */
export function bearerToken(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1]
}

function randomText(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 252 is the largest multiple of 36 in a byte: dropping the rest keeps every character equally likely.
      if (byte < 252 && text.length < length) text += ALPHABET[byte % ALPHABET.length] ?? ''
    }
  }
  return text
}
