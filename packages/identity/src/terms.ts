/**
 * What becomes of a reply whose client has left.
 * - `drain`: the engine is read on for its usage, within bounds.
 * - `cancel`: the engine is cut off at once; what passed counts.
 * - `estimate`: the same, and what the engine has not said in the end is estimated, the prompt of a request without any reply too.
 */
export type AbortPolicy = 'drain' | 'cancel' | 'estimate'

export const ABORT_POLICIES: readonly AbortPolicy[] = ['drain', 'cancel', 'estimate']

/** The terms on which somebody is served. What is absent, wider terms say: those of the group, of the organization, of the installation. */
export type Terms = {
  readonly abort?: AbortPolicy
  /** Bounds of a drain, whichever is hit first: milliseconds, bytes, and tokens of a stream that nobody gets any more. */
  readonly drainMs?: number
  readonly drainBytes?: number
  readonly drainTokens?: number
  /** Requests of one credential at once, in one gateway process. 1 or more. */
  readonly maxConcurrent?: number
  /** Of how many requests bodies are kept, in parts of a million. Absent everywhere: of none. */
  readonly bodySample?: number
}

export type TermsScope = 'credential' | 'group' | 'organization'

export const TERMS_SCOPES: readonly TermsScope[] = ['credential', 'group', 'organization']

/** Terms as they were said: of one credential, or of each one of a group or an organization that has none of its own. */
export type ScopedTerms = Terms & {
  readonly scope: TermsScope
  /** An auth id, or the id of a group or an organization. */
  readonly subject: string
}

/** Whose an auth id is that has no key here: an edge names it. */
export type AuthIdOwner = { readonly organizationId?: string; readonly groupId?: string }

/** All terms of a ledger. */
export type TermsList = {
  readonly entries: readonly ScopedTerms[]
  /** Of the auth ids without a key that are of a group or an organization with terms. */
  readonly owners: Readonly<Record<string, AuthIdOwner>>
}

/** The members that are counts: those of {@link Terms} but the policy. */
const COUNTS = ['drainMs', 'drainBytes', 'drainTokens', 'maxConcurrent', 'bodySample'] as const

/** What several together say: each member as the first says that says it. */
export function mergeTerms(said: readonly (Terms | undefined)[]): Terms {
  const merged: { -readonly [Name in keyof Terms]: Terms[Name] } = {}
  for (const terms of said) {
    if (terms?.abort !== undefined) merged.abort ??= terms.abort
    for (const name of COUNTS) {
      const count = terms?.[name]
      if (count !== undefined) merged[name] ??= count
    }
  }
  return merged
}

/**
 * Terms out of somebody's JSON; `undefined`: they are not of that shape. Scopes and policies that only newer programs know are left out: what
 * they would change stays as wider terms have it.
 */
export function readTermsList(value: unknown): TermsList | undefined {
  if (!isRecord(value)) return undefined
  const { entries, owners = {} } = value
  if (!Array.isArray(entries) || !entries.every(isEntry) || !isRecord(owners) || !Object.values(owners).every(isOwner)) return undefined
  const known = entries.filter(({ scope }) => TERMS_SCOPES.includes(scope))
  return { entries: known.map(withKnownPolicy), owners: owners as Readonly<Record<string, AuthIdOwner>> }
}

function isEntry(value: unknown): value is ScopedTerms {
  if (!isRecord(value)) return false
  const { scope, subject, abort } = value
  return (
    typeof scope === 'string' &&
    typeof subject === 'string' &&
    (abort === undefined || typeof abort === 'string') &&
    COUNTS.every((name) => value[name] === undefined || (Number.isSafeInteger(value[name]) && (value[name] as number) >= 0))
  )
}

function withKnownPolicy(entry: ScopedTerms): ScopedTerms {
  if (entry.abort === undefined || ABORT_POLICIES.includes(entry.abort)) return entry
  const { abort: _unknown, ...rest } = entry
  return rest
}

function isOwner(value: unknown): value is AuthIdOwner {
  if (!isRecord(value)) return false
  return [value['organizationId'], value['groupId']].every((id) => id === undefined || typeof id === 'string')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
