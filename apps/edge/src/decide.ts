import { createPeerTrust, singleHeader } from '@ascribe/identity'
import type { Caller, CallerOutcome } from './caller.ts'
import { readCredential } from './credential.ts'
import type { Refusal } from './refusals.ts'
import type { Place, ResourceRule, RuleTable } from './rules.ts'

/** The head of a request of a proxy, about one of a client. */
export type AskedHead = {
  /** The socket's address. */
  readonly peer: string
  /** Of the request line. */
  readonly target: string
  readonly rawHeaders: readonly string[]
}

export type EdgeVerdict =
  | { readonly kind: 'pass'; readonly caller: Caller; readonly rule: ResourceRule }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export type DeciderDeps = {
  readonly callerOf: (token: string) => Promise<CallerOutcome>
  readonly rules: RuleTable
  /** Networks of proxies whose `X-Forwarded-Host` and `X-Forwarded-Uri` say where the client went. */
  readonly forwardedFrom: readonly string[]
}

const ANYWHERE: ResourceRule = {}

/**
 * Decides from a head alone: who it is by its credential, and what is there by the rules. Whatever identity headers it has are the
 * client's, and are not looked at.
 */
export function createDecider({ callerOf, rules, forwardedFrom }: DeciderDeps): (head: AskedHead) => Promise<EdgeVerdict> {
  const proxies = createPeerTrust({ networks: forwardedFrom })

  function placeOf({ peer, target, rawHeaders }: AskedHead): Place {
    if (proxies.termsFor(peer, undefined) === undefined) return { host: singleHeader(rawHeaders, 'host'), target }
    return { host: singleHeader(rawHeaders, 'x-forwarded-host'), target: singleHeader(rawHeaders, 'x-forwarded-uri') }
  }

  return async (head) => {
    const credential = readCredential(head.rawHeaders)
    if (credential.kind !== 'token') {
      return refused({ kind: 'unauthenticated', reason: credential.kind === 'none' ? 'no_key' : 'repeated_key' })
    }
    const who = await callerOf(credential.token)
    if (who.kind === 'refused') return who
    // Who cannot be attributed learns nothing about what is where.
    if (rules.isEmpty) return { kind: 'pass', caller: who.caller, rule: ANYWHERE }
    const found = rules.find(placeOf(head))
    if (found.kind === 'rule') return { kind: 'pass', caller: who.caller, rule: found.rule }
    return refused({ kind: 'forbidden', reason: found.kind === 'none' ? 'no_rule' : 'unclear_place' })
  }
}

function refused(refusal: Refusal): EdgeVerdict {
  return { kind: 'refused', refusal }
}
