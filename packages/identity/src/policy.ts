import type { DeploymentList } from './deployments.ts'
import type { TermsList } from './terms.ts'

/** What a key may do: `inference` spends, `billing:read` reads its organization's usage and statements, `usage:write` reports usage of it. */
export type Scope = 'inference' | 'billing:read' | 'usage:write'

export const SCOPES: readonly Scope[] = ['inference', 'billing:read', 'usage:write']

/** What a gateway must know of one API key. Holds no secret: the HMAC cannot be turned back. */
export type PolicyKey = {
  /** The key's identity; what usage is attributed to. */
  readonly authId: string
  /** The public part of the key, by which it is found. */
  readonly publicId: string
  /** HMAC-SHA-256 of the whole key under the server secret, base64url. */
  readonly hmac: string
  /** The organization that the credential belongs to now. */
  readonly organizationId: string
  /** Who uses it, and in which group, as the directory knows it. */
  readonly userId?: string
  readonly groupId?: string
  readonly scopes: readonly Scope[]
  /** UTC epoch milliseconds; from then on it lets nobody in, whether or not a newer snapshot has come. Absent: no end is planned. */
  readonly expiresAt?: number
}

/**
 * All that travels from the ledger to the gateways. One version has one content. Keys that are revoked or expired are not in it.
 * Fields may be missing or more than here: ledger and gateway need not be of one age.
 */
export type PolicySnapshot = {
  /** Which ledger says so; versions of two ledgers do not compare. */
  readonly ledger: string
  /** A higher one of the same ledger is newer. */
  readonly version: number
  /** The version in which the keys changed last: whoever has those need not read them again. Absent: nobody knows. */
  readonly keysVersion?: number
  /** The latest changes of keys: whoever has the keys of version `since` or later need not read the others. */
  readonly recent?: KeyChanges & { readonly since: number }
  /** The terms of credentials. Absent: nobody has any of his own. */
  readonly terms?: TermsList
  /** Where requests go, as far as the ledger says. Absent: it does not say, and what was said stays. */
  readonly deployments?: DeploymentList
  readonly keys: readonly PolicyKey[]
}

/** The keys that some auth ids have now; an auth id without any has none. */
export type KeyChanges = { readonly authIds: readonly string[]; readonly keys: readonly PolicyKey[] }

/** Takes changes over into keys that are in the order of {@link sortKeys}, which they keep; a few of 100,000 in some milliseconds. */
export function patchKeys(before: readonly PolicyKey[], changes: KeyChanges): readonly PolicyKey[] {
  const changed = new Set(changes.authIds)
  // All of them are looked at: whatever their order, none of those that changed may stay.
  const kept = before.filter(({ authId }) => !changed.has(authId))
  const result: PolicyKey[] = []
  let from = 0
  for (const key of sortKeys(changes.keys)) {
    const to = placeOf(key, kept, from)
    for (const each of kept.slice(from, to)) result.push(each)
    result.push(key)
    from = to
  }
  for (const each of kept.slice(from)) result.push(each)
  return result
}

/** Where a key belongs among sorted ones, at `from` or after it. */
function placeOf(key: PolicyKey, sorted: readonly PolicyKey[], from: number): number {
  let [low, high] = [from, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const each = sorted[middle]
    if (each !== undefined && compareKeys(each, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** One order for everybody, so that one version has one text. */
export function sortKeys(keys: readonly PolicyKey[]): readonly PolicyKey[] {
  return keys.toSorted(compareKeys)
}

function compareKeys(a: PolicyKey, b: PolicyKey): number {
  return compare(a.authId, b.authId) || compare(a.publicId, b.publicId)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
