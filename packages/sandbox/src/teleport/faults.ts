import { InputError } from '@ascribe/kit'

/** What the proxy should do wrong, or what somebody forged. Absent: as Teleport does it. */
export type TeleportFaults = {
  /** The assertion's end lies an hour back. */
  readonly expired?: boolean
  /** The assertion is for another app. */
  readonly wrongAudience?: boolean
  /** Another cluster's name. */
  readonly wrongIssuer?: boolean
  /** Signed by a key that the JWKS does not list, under the `kid` of one that it lists. */
  readonly wrongKey?: boolean
  /** No roles in the assertion, whatever the app's `jwt_claims` says. */
  readonly noRoles?: boolean
  /** `sub` and `username` disagree. */
  readonly wrongSubject?: boolean
  /** Makes the assertion longer by so many bytes of traits: an operator of many groups. */
  readonly traitBytes?: number
  /** The proxy's clock is ahead (positive) or behind, in milliseconds. */
  readonly clockSkewMs?: number
  /** No `kid`, neither in the token nor in the JWKS: as older clusters have it. */
  readonly noKid?: boolean
  /** `alg: none` without a signature, or HS256 with the public key as the secret. */
  readonly algorithm?: 'none' | 'HS256'
  /** Sends the assertion header twice. */
  readonly twice?: boolean
  /** Sends no assertion. */
  readonly noAssertion?: boolean
}

const FLAGS: ReadonlySet<string> = new Set([
  'expired',
  'wrongAudience',
  'wrongIssuer',
  'wrongKey',
  'noRoles',
  'wrongSubject',
  'noKid',
  'twice',
  'noAssertion',
] satisfies readonly (keyof TeleportFaults)[])

/** Checks faults that came over the control endpoint: a mistyped knob must not pass for a test that passed. @throws {InputError} */
export function parseTeleportFaults(value: unknown): TeleportFaults {
  if (typeof value !== 'object' || value === null) throw new InputError('Cannot use the faults: they must be an object')
  for (const [name, knob] of Object.entries(value)) {
    if (!isKnob(name, knob))
      throw new InputError(`Cannot use the fault ${name}: there is no such knob, or not with ${JSON.stringify(knob)}`)
  }
  // Every field was checked above.
  return value
}

function isKnob(name: string, knob: unknown): boolean {
  if (FLAGS.has(name)) return typeof knob === 'boolean'
  if (name === 'traitBytes') return Number.isSafeInteger(knob) && Number(knob) >= 0
  if (name === 'clockSkewMs') return Number.isSafeInteger(knob)
  return name === 'algorithm' && (knob === 'none' || knob === 'HS256')
}
