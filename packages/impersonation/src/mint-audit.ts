import { createHash } from 'node:crypto'
import type { Reason } from './errors.ts'
import type { SealedText } from './sealed-text.ts'
import type { TokenClaims } from './token-claims.ts'

/** On whose behalf a caller asks, as far as it knows: a controller and its object, an operator. Strings only; written as they are. */
export type Actor = Readonly<Record<string, string>>

/** One record for each token that was minted, handed out or not, and for each that was refused by name. Never a token, never an e-mail address. */
export type MintAudit = {
  /** UTC epoch milliseconds. */
  readonly at: number
  readonly act: 'mint' | 'discover'
  /** `discarded`: a token was minted, and destroyed before anybody had it: something else failed on the way, or nobody waited any more. */
  readonly outcome: 'minted' | 'refused' | 'discarded'
  /** Why it was refused. */
  readonly reason: Reason | undefined
  /** Why it was minted: nothing was there, it was getting old, or the cloud had refused the one before. */
  readonly cause: 'first' | 'renewal' | 'rejected'
  readonly actor: Actor
  /** Of a discovery: who was found. `undefined` when nobody was. */
  readonly ownerUuid: string | undefined
  readonly bindingGeneration: string | number | undefined
  readonly region: string
  readonly origin: string
  readonly issuer: string
  readonly clientId: string
  /** The cloud's id of the request that asserted the owner. */
  readonly requestId: string | undefined
  /** SHA-256 of the token's `jti`, or of the token where it has none. */
  readonly tokenId: string | undefined
  /** Who acts, where the token says so. */
  readonly tokenActor: string | undefined
  readonly lifeMs: number | undefined
}

/** Stores one record. The token is handed out when it has resolved; rejecting destroys the token. */
export type AuditSink = (record: MintAudit) => Promise<void>

/** Names a token without showing it. */
export function tokenIdOf(token: SealedText, claims: TokenClaims | undefined): string {
  return claims?.jti === undefined ? token.digest() : createHash('sha256').update(claims.jti).digest('hex')
}
