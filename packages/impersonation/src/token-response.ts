import { AnswerInvalidError } from './errors.ts'
import type { MintStep } from './errors.ts'
import { SealedText } from './sealed-text.ts'
import { decodeClaims, parseJson, recordOf } from './token-claims.ts'
import type { TokenClaims } from './token-claims.ts'
import type { WireResponse } from './wire.ts'

/** A token as a step got it. */
export type TokenResponse = {
  readonly token: SealedText
  /** From the instant at which the answer was there. At least 1, at most a day. */
  readonly lifeMs: number
  /** How the life is known: by `expires_in`, by the token's own `exp`, by the shorter of both, or not at all. */
  readonly lifeFrom: 'expires_in' | 'claims' | 'both' | 'assumed'
  readonly claims: TokenClaims | undefined
}

/** Taken when neither the answer nor the token says how long it lives. */
const LIFE_MS_ASSUMED = 60_000
/** A token that claims to live longer is asked for again each day: nobody has said that it can be revoked. */
const LIFE_MS_MAX = 86_400_000
const TOKEN_LENGTH_MAX = 128 * 1024
/** RFC 6750 section 2.1: what a bearer token is made of. Nothing in it can end a header. */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/**
 * Reads a 200 of any of the three steps; they all name their token `access_token`.
 *
 * @throws {AnswerInvalidError} when there is no usable token in it: none, empty, of another type, or expired on arrival.
 */
export function readTokenResponse(response: WireResponse, step: MintStep): TokenResponse {
  const refuse = (why: string, reason: 'answer_invalid' | 'expired_on_arrival' = 'answer_invalid'): never => {
    throw new AnswerInvalidError(`Cannot use the answer of step ${step}: ${why}`, { step, reason, status: response.status })
  }
  const body = recordOf(parseJson(response.body))
  if (body === undefined) return refuse('it is no JSON object')
  const { access_token: token, token_type: type } = body
  if (typeof token !== 'string' || token === '') return refuse('it has no access_token')
  if (token.length > TOKEN_LENGTH_MAX || !BEARER_TOKEN.test(token)) return refuse('its access_token cannot stand in a header')
  // RFC 6749 section 7.1: a client must not use a token of a type it does not know.
  if (type !== undefined && (typeof type !== 'string' || type.toLowerCase() !== 'bearer')) return refuse('its token_type is not Bearer')
  const claims = decodeClaims(token)
  const { lifeMs, lifeFrom } = lifeOf(body['expires_in'], claims)
  if (Number.isNaN(lifeMs)) return refuse('its expires_in is no number')
  if (lifeMs <= 0) return refuse('its token has expired on arrival', 'expired_on_arrival')
  return { token: new SealedText(token), lifeMs: Math.min(lifeMs, LIFE_MS_MAX), lifeFrom, claims }
}

/** The shorter of both, as a span: `exp` less our own clock would bring its error in. */
function lifeOf(expiresIn: unknown, claims: TokenClaims | undefined): Pick<TokenResponse, 'lifeMs' | 'lifeFrom'> {
  const bySelf = claims?.exp === undefined || claims.iat === undefined ? undefined : (claims.exp - claims.iat) * 1000
  if (expiresIn === undefined || expiresIn === null)
    return bySelf === undefined ? { lifeMs: LIFE_MS_ASSUMED, lifeFrom: 'assumed' } : { lifeMs: bySelf, lifeFrom: 'claims' }
  const stated =
    typeof expiresIn === 'number' || (typeof expiresIn === 'string' && /^\d+(\.\d+)?$/.test(expiresIn)) ? Number(expiresIn) * 1000 : NaN
  if (bySelf === undefined || Number.isNaN(stated)) return { lifeMs: stated, lifeFrom: 'expires_in' }
  return { lifeMs: Math.min(stated, bySelf), lifeFrom: 'both' }
}
