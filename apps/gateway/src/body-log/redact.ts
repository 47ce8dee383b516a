import type { Redaction } from './types.ts'

const MARK = '[redacted]'

/** Of JSON objects: their values are secrets wherever they stand. */
const MEMBERS = [
  'access_token',
  'api_key',
  'apikey',
  'authorization',
  'client_secret',
  'id_token',
  'passwd',
  'password',
  'private_key',
  'refresh_token',
  'secret',
  'secret_key',
  'x-api-key',
]

/** Each is linear in the text: no part can be read in two ways. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,20000}-----END [A-Z ]{0,40}PRIVATE KEY-----/g, MARK],
  [/\b(Bearer|Basic) +[\w.~+/=-]{8,}/gi, `$1 ${MARK}`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, MARK],
  [/\b(?:ask|sk|pk|rk|gh[oprsu]|glpat|xox[abprs])[-_][\w-]{16,}/g, MARK],
  [/\bA(?:KIA|SIA)[0-9A-Z]{16}\b/g, MARK],
]
const EMAIL = /[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g
const DIGITS = /\b\d(?:[ -]?\d){12,18}\b/g

/** Makes what takes out of a text what must not be kept. */
export function createRedactor(what: readonly Redaction[], members: readonly string[]): (text: string) => string {
  const names = [...(what.includes('secrets') ? MEMBERS : []), ...members].map((name) => name.replaceAll(/[^\w-]/g, (each) => `\\${each}`))
  const member = names.length === 0 ? undefined : new RegExp(`("(?:${names.join('|')})"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, 'gi')
  return (text) => {
    let clean = member === undefined ? text : text.replace(member, `$1"${MARK}"`)
    if (what.includes('secrets')) for (const [pattern, put] of SECRETS) clean = clean.replace(pattern, put)
    if (what.includes('emails')) clean = clean.replace(EMAIL, MARK)
    if (what.includes('cards')) clean = clean.replace(DIGITS, (found) => (isCardNumber(found) ? MARK : found))
    return clean
  }
}

/** By the check digit (ISO/IEC 7812-1): most long numbers are no card. */
function isCardNumber(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '').split('').map(Number)
  const sum = digits.toReversed().reduce((total, digit, place) => {
    const weighed = place % 2 === 1 ? digit * 2 : digit
    return total + (weighed > 9 ? weighed - 9 : weighed)
  }, 0)
  return sum % 10 === 0
}
