import { createHmac, createPublicKey } from 'node:crypto'
import { type Claims, RsaKey } from '../jwt/rsa-key.ts'
import type { KeyRing } from '../jwt/key-ring.ts'
import type { TeleportApp } from './app.ts'
import type { TeleportFaults } from './faults.ts'
import type { Operator } from './operators.ts'

export type AssertionFacts = {
  readonly clusterName: string
  readonly app: TeleportApp
  readonly operator: Operator
  /** Epoch milliseconds: when it is made, and when the session behind it ends. */
  readonly now: number
  readonly expiresAt: number
}

/** Teleport lets an assertion begin so long before it was made, for clocks that differ. */
const NOT_BEFORE_S = 10
const HOUR_S = 3600

/** The claims of an assertion, as the app's `jwt_claims` wants them. */
export function assertionClaims({ clusterName, app, operator, now, expiresAt }: AssertionFacts, faults: TeleportFaults = {}): Claims {
  const iat = Math.floor((now + (faults.clockSkewMs ?? 0)) / 1000)
  const { jwtClaims = 'roles-and-traits' } = app
  const sendsRoles = (jwtClaims === 'roles-and-traits' || jwtClaims === 'roles') && faults.noRoles !== true
  const sendsTraits = jwtClaims === 'roles-and-traits' || jwtClaims === 'traits'
  const groups = faults.traitBytes === undefined ? {} : { groups: ['g'.repeat(faults.traitBytes)] }
  return {
    aud: [faults.wrongAudience === true ? `${app.uri}/other` : app.uri],
    exp: faults.expired === true ? iat - HOUR_S : Math.floor((expiresAt + (faults.clockSkewMs ?? 0)) / 1000),
    iat,
    iss: faults.wrongIssuer === true ? `other.${clusterName}` : clusterName,
    nbf: iat - NOT_BEFORE_S,
    roles: sendsRoles ? operator.roles : null,
    sub: faults.wrongSubject === true ? `not-${operator.name}` : operator.name,
    traits: sendsTraits ? { ...operator.traits, ...groups } : groups.groups === undefined ? null : groups,
    username: operator.name,
  }
}

/** Signs claims as Teleport does, or as the faults say. */
export class AssertionSigner {
  readonly #keys: KeyRing
  /** Signs forgeries: no JWKS lists it. */
  #foreign: RsaKey | undefined

  constructor(keys: KeyRing) {
    this.#keys = keys
  }

  sign(claims: Claims, faults: TeleportFaults = {}): string {
    const withKid = faults.noKid !== true
    const [newest] = this.#keys.jwks
    if (faults.wrongKey === true)
      return (this.#foreign ??= RsaKey.createSync()).sign(claims, { withKid, ...(withKid && { header: { kid: newest?.['kid'] } }) })
    if (faults.algorithm === undefined) return this.#keys.sign(claims, { withKid })
    const head = encode({ alg: faults.algorithm, typ: 'JWT', ...(withKid && { kid: newest?.['kid'] }) })
    const signed = `${head}.${encode(claims)}`
    if (faults.algorithm === 'none') return `${signed}.`
    const pem = createPublicKey({ key: { ...newest }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
