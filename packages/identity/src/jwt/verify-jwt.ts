import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import type { JWTPayload, ProtectedHeaderParameters } from 'jose'
import type { Clock } from '@ascribe/kit'
import { systemClock } from '@ascribe/kit'
import { isAlgorithm } from './algorithms.ts'
import type { Algorithm } from './algorithms.ts'
import type { KeySet } from './key-set.ts'
import type { PublicKey } from './public-keys.ts'

/** What a token failed. For the log and for counters; a caller is told one word, the same for all. */
export type JwtCheck =
  | 'header'
  | 'size'
  | 'shape'
  | 'type'
  | 'algorithm'
  | 'critical'
  | 'key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_yet_valid'
  | 'claims'
  | 'subject'
  | 'bound'
  | 'organization'
  | 'role'

export type JwtRefusal = {
  readonly kind: 'refused'
  readonly check: JwtCheck
  /** For the log: what was found, without the token. */
  readonly detail: string
}

export type JwtOutcome =
  | { readonly kind: 'verified'; readonly claims: JwtClaims }
  | JwtRefusal
  /** There is no good copy of the keys: neither proven nor refuted. */
  | { readonly kind: 'unavailable'; readonly cause: unknown }

/** Claims of a token whose signature, issuer, audience and times are right. */
export type JwtClaims = JWTPayload & { readonly sub: string; readonly exp: number }

export type VerifyOptions = {
  readonly keys: KeySet
  readonly issuer: string
  /** Any of these has to be among the token's. `any`: of tokens that their issuer has given us itself, over our own connection. */
  readonly audience: readonly string[] | 'any'
  readonly algorithms: readonly Algorithm[]
  /** By which clocks may differ, milliseconds. */
  readonly skewMs: number
  /** `typ` of the header, in small letters and without `application/`; a token may always leave it out. */
  readonly types: readonly string[]
  /** Longer tokens are not looked at. */
  readonly bytesMax: number
  /** A token without `sub` gets an empty one. Default false: it is refused. */
  readonly isSubjectOptional?: boolean
  readonly clock?: Clock
}

/** RFC 7515 section 7.1: three parts. Five would be an encrypted one. */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const KID_LENGTH_MAX = 512
/** Keys without ids are tried in turn; each costs a signature check. */
const KEYS_TRIED_MAX = 8
const SUBJECT_LENGTH_MAX = 1024

/**
 * Verifies a JWT (RFC 7519, RFC 8725) against an issuer's keys. Of its header only `alg`, `kid`, `typ` and `crit` are read: keys that a
 * token brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) are nobody's.
 */
export async function verifyJwt(token: string, options: VerifyOptions): Promise<JwtOutcome> {
  const { bytesMax } = options
  if (token.length > bytesMax) return refusal('size', `the token has more than ${bytesMax} bytes`)
  if (!COMPACT.test(token)) return refusal('shape', 'the token has not three parts of base64url')
  const header = readHeader(token, options)
  if ('kind' in header) return header
  try {
    return await verifyWithKeys(token, header, options)
  } catch (cause) {
    return { kind: 'unavailable', cause }
  }
}

type Header = { readonly alg: Algorithm; readonly kid?: string }

function readHeader(token: string, { algorithms, types }: VerifyOptions): Header | JwtRefusal {
  let header: ProtectedHeaderParameters
  try {
    header = decodeProtectedHeader(token)
  } catch {
    return refusal('shape', 'the header is no JSON object')
  }
  const { alg, kid, typ, crit } = header
  if (!isAlgorithm(alg) || !algorithms.includes(alg)) return refusal('algorithm', `the algorithm is ${shown(alg)}`)
  // None is understood here, and what is critical and not understood refuses the token (RFC 7515 section 4.1.11).
  if (crit !== undefined) return refusal('critical', `the header has critical parameters ${shown(crit)}`)
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KID_LENGTH_MAX)) return refusal('key', 'the key id is no short text')
  if (typ !== undefined && !(typeof typ === 'string' && types.includes(typ.toLowerCase().replace(/^application\//, ''))))
    return refusal('type', `the type is ${shown(typ)}`)
  return { alg, ...(kid !== undefined && { kid }) }
}

async function verifyWithKeys(token: string, header: Header, options: VerifyOptions): Promise<JwtOutcome> {
  const { keys } = options
  const candidates = await keys.candidates(header)
  const outcome = await tryKeys(token, candidates, { header, options })
  // A key that is named and here has refuted the signature. Otherwise a newer one may be needed.
  const isConclusive = outcome !== undefined && (outcome.kind !== 'refused' || outcome.check !== 'signature' || isNamed(candidates, header))
  if (isConclusive) return outcome
  if (await keys.lookAgain()) {
    const again = await tryKeys(token, await keys.candidates(header), { header, options })
    if (again !== undefined) return again
  }
  return outcome ?? refusal('key', `the issuer has no key ${shown(header.kid)} for ${header.alg}`)
}

function isNamed(candidates: readonly PublicKey[], { kid }: Header): boolean {
  return kid !== undefined && candidates.some((key) => key.kid === kid)
}

/** The outcome by the first key whose signature it is; `undefined`: there are no keys. */
async function tryKeys(
  token: string,
  keys: readonly PublicKey[],
  { header, options }: { readonly header: Header; readonly options: VerifyOptions },
): Promise<JwtOutcome | undefined> {
  let outcome: JwtOutcome | undefined
  for (const key of keys.slice(0, KEYS_TRIED_MAX)) {
    outcome = await tryKey(token, key, { header, options })
    if (outcome.kind !== 'refused' || (outcome.check !== 'signature' && outcome.check !== 'key')) return outcome
  }
  return outcome
}

async function tryKey(
  token: string,
  key: PublicKey,
  { header, options }: { readonly header: Header; readonly options: VerifyOptions },
): Promise<JwtOutcome> {
  const { issuer, audience, algorithms, skewMs, isSubjectOptional = false, clock = systemClock } = options
  try {
    const now = clock()
    const { payload } = await jwtVerify(token, await key.import(header.alg), {
      algorithms: [...algorithms],
      issuer,
      ...(audience !== 'any' && { audience: [...audience] }),
      clockTolerance: skewMs / 1000,
      currentDate: new Date(now),
      requiredClaims: isSubjectOptional ? ['exp'] : ['exp', 'sub'],
    })
    return checkClaims(isSubjectOptional ? { sub: '', ...payload } : payload, { latest: now + skewMs, isSubjectOptional })
  } catch (error) {
    return refusalOf(error)
  }
}

/** What the library leaves to us. `latest`: the latest instant that may be called past. */
function checkClaims(
  payload: JWTPayload,
  { latest, isSubjectOptional }: { readonly latest: number; readonly isSubjectOptional: boolean },
): JwtOutcome {
  const { sub, exp, iat } = payload
  // 1e999 is a number in JSON, and no instant.
  if (typeof exp !== 'number' || !Number.isSafeInteger(Math.floor(exp * 1000))) return refusal('claims', 'exp is no instant')
  if (iat !== undefined && iat * 1000 > latest) return refusal('not_yet_valid', 'it was issued in the future')
  if (
    typeof sub !== 'string' ||
    (sub === '' && !isSubjectOptional) ||
    sub.length > SUBJECT_LENGTH_MAX ||
    /\p{Cc}/u.test(sub) ||
    !sub.isWellFormed()
  )
    return refusal('subject', 'sub is no short text')
  return { kind: 'verified', claims: { ...payload, sub, exp } }
}

function refusalOf(error: unknown): JwtRefusal {
  if (error instanceof errors.JWSSignatureVerificationFailed) return refusal('signature', 'the signature is not of this key')
  if (error instanceof errors.JWTExpired) return refusal('expired', `it ended ${shown(error.payload.exp)}`)
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason, payload } = error
    return refusal(CHECK_OF_CLAIM[claim] ?? 'claims', `${claim} is ${reason}: ${shown(payload[claim])}`)
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return refusal('algorithm', 'the algorithm is not one of those allowed')
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return refusal('shape', error.message)
  // A key that cannot be imported, or is too short (RFC 8725 section 3.5).
  return refusal('key', error instanceof Error ? error.message : 'the key cannot be used')
}

const CHECK_OF_CLAIM: Readonly<Record<string, JwtCheck>> = {
  iss: 'issuer',
  aud: 'audience',
  sub: 'subject',
  nbf: 'not_yet_valid',
  exp: 'expired',
}

export function refusal(check: JwtCheck, detail: string): JwtRefusal {
  return { kind: 'refused', check, detail }
}

/** A value of a token for the log: short, and never able to begin a line of its own. */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 100)
}
