import { ImpersonationInputError } from './errors.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const EMAIL_LENGTH_MAX = 254
const PLAIN_EMAIL = /^[!-?A-~]+@[!-?A-~]+$/

/** The provider's id of a user, in lower case. @throws {ImpersonationInputError} when it is no UUID */
export function normalizeOwnerUuid(uuid: string): string {
  const lower = typeof uuid === 'string' ? uuid.toLowerCase() : ''
  if (!isUuid(lower)) throw new ImpersonationInputError('Cannot act for this owner: ownerUuid is no UUID')
  return lower
}

/** In lower case. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/**
 * Refuses what is no plain address: white space, control characters, and every letter outside ASCII, for it may only look like
 * another one (H-6). Gives it as it is: to the cloud an address is sent as it was pinned. Its value stays out of messages (H-14).
 *
 * @throws {ImpersonationInputError}
 */
export function checkOwnerEmail(email: string): string {
  if (!isPlain(email))
    throw new ImpersonationInputError('Cannot act for this owner: the e-mail address is none, or holds characters outside ASCII')
  return email
}

/** Whether two addresses are one, case aside. One with a letter outside ASCII is nobody's: `K` in lower case may be a Kelvin sign (H-6). */
export function isSameEmail(a: string, b: string): boolean {
  return isPlain(a) && isPlain(b) && a.toLowerCase() === b.toLowerCase()
}

function isPlain(email: unknown): boolean {
  return typeof email === 'string' && email.length <= EMAIL_LENGTH_MAX && PLAIN_EMAIL.test(email)
}
