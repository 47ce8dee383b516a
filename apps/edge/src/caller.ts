import type { KeyDirectory } from '@ascribe/identity'
import { claimAt } from '@ascribe/identity/jwt'
import type { AccessTokenVerifier, JwtClaims } from '@ascribe/identity/jwt'
import { publicIdOf } from '@ascribe/identity'
import { isHeaderText } from './header-text.ts'
import type { Refusal } from './refusals.ts'

/** Whom a credential speaks for. */
export type Caller = { readonly authId: string; readonly userId?: string; readonly groupId?: string }

export type CallerOutcome = { readonly kind: 'caller'; readonly caller: Caller } | { readonly kind: 'refused'; readonly refusal: Refusal }

export type TokenRules = {
  readonly verifier: AccessTokenVerifier
  /** Names or paths of claims with the user's and the group's id. */
  readonly userClaim: string | undefined
  readonly groupClaim: string | undefined
  /** That has to be among the token's `scope` (RFC 8693 section 4.2) or `scp`. */
  readonly scope: string | undefined
}

export type CallerDeps = {
  readonly keys: Pick<KeyDirectory, 'find' | 'snapshot'>
  /** `undefined`: API keys alone. */
  readonly tokens: TokenRules | undefined
}

/** Finds out whom a credential speaks for. What cannot be decided now is said so, and is never a yes. */
export function createCallers({ keys, tokens }: CallerDeps): (token: string) => Promise<CallerOutcome> {
  function byKey(token: string): CallerOutcome {
    const key = keys.find(token)
    if (key === undefined) {
      // Whoever has no list at all does not know that the key is wrong.
      return refused(
        keys.snapshot === undefined ? { kind: 'unavailable', reason: 'no_policy' } : { kind: 'unauthenticated', reason: 'unknown_key' },
      )
    }
    if (!key.scopes.includes('inference')) return refused({ kind: 'forbidden', reason: 'insufficient_scope' })
    const { authId, userId, groupId } = key
    return { kind: 'caller', caller: { authId, ...(userId !== undefined && { userId }), ...(groupId !== undefined && { groupId }) } }
  }

  async function byToken(token: string, rules: TokenRules): Promise<CallerOutcome> {
    const outcome = await rules.verifier.verify(token)
    if (outcome.kind === 'unavailable') return refused({ kind: 'unavailable', reason: 'no_issuer_keys', cause: outcome.cause })
    if (outcome.kind === 'refused') return refused({ kind: 'unauthenticated', reason: `token_${outcome.check}` })
    const { claims } = outcome
    if (rules.scope !== undefined && !scopesOf(claims).includes(rules.scope))
      return refused({ kind: 'forbidden', reason: 'insufficient_scope' })
    // What the directory cannot hold can never be mapped to an organization, and is nobody's for ever.
    if (!isHeaderText(claims.sub) || Buffer.byteLength(claims.sub) > SUBJECT_BYTES_MAX)
      return refused({ kind: 'unauthenticated', reason: 'token_subject' })
    const userId = idAt(claims, rules.userClaim)
    const groupId = idAt(claims, rules.groupClaim)
    return {
      kind: 'caller',
      caller: { authId: claims.sub, ...(userId !== undefined && { userId }), ...(groupId !== undefined && { groupId }) },
    }
  }

  return async (token) => {
    // A key of ours has a shape that no JWT has: an issuer's trouble never keeps a key out.
    if (publicIdOf(token) !== undefined || tokens === undefined) return byKey(token)
    return byToken(token, tokens)
  }
}

function refused(refusal: Refusal): CallerOutcome {
  return { kind: 'refused', refusal }
}

function scopesOf(claims: JwtClaims): readonly unknown[] {
  const scope = claims['scope'] ?? claims['scp']
  if (Array.isArray(scope)) return scope
  return typeof scope === 'string' ? scope.split(' ') : []
}

/** As long as an auth id of the directory may be. */
const SUBJECT_BYTES_MAX = 1024
const ID_LENGTH_MAX = 256

function idAt(claims: JwtClaims, path: string | undefined): string | undefined {
  const claim = path === undefined ? undefined : claimAt(claims, path)
  const text = typeof claim === 'number' && Number.isSafeInteger(claim) ? String(claim) : claim
  return typeof text === 'string' && text.length <= ID_LENGTH_MAX && isHeaderText(text) ? text : undefined
}
