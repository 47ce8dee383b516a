import { mergeTerms } from '@ascribe/identity'
import type { AbortPolicy, AuthIdOwner, PolicyKey, PolicySnapshot, ScopedTerms, Terms, TermsList } from '@ascribe/identity'
import type { Drain, Reply } from '@ascribe/relay'
import type { Caller } from './admission.ts'
import { retryHeaders } from './limit-headers.ts'
import { openAiError } from './replies.ts'

/** How far a reply is read on after its client has left. */
export type DrainBounds = Pick<Drain, 'ms' | 'bytes'> & {
  /** Of a stream: tokens that pass after the client has left. Default: no bound. */
  readonly tokens?: number
}

/** The terms on which one request is served. */
export type RequestTerms = {
  readonly abort: AbortPolicy
  readonly drain: DrainBounds
  /** Requests of the credential at once; `undefined`: any number. */
  readonly maxConcurrent: number | undefined
  /** Of how many requests bodies are kept, in parts of a million; `undefined`: of none. */
  readonly bodySample: number | undefined
}

export type Asker = {
  readonly caller: Pick<Caller, 'authId' | 'groupId'>
  /** The key that named the caller; `undefined`: a trusted edge did. */
  readonly key: Pick<PolicyKey, 'organizationId' | 'groupId'> | undefined
}

export type TermsDeps = {
  /** For everybody of whom nothing else is said. */
  readonly installation: Pick<RequestTerms, 'abort' | 'drain'>
  readonly snapshot: () => PolicySnapshot | undefined
  /** To whom an auth id belongs that an edge names, where it has a key here too. */
  readonly ownerOf: (authId: string) => AuthIdOwner | undefined
}

/** Says on what terms requests are served: those of the credential, what they leave open of its group, its organization, the installation. */
export function createTermsTable(deps: TermsDeps): (asker: Asker) => RequestTerms {
  const installation: RequestTerms = { ...deps.installation, maxConcurrent: undefined, bodySample: undefined }
  let list: TermsList | undefined
  let entries: ReadonlyMap<string, ScopedTerms> = new Map()
  let owners: ReadonlyMap<string, AuthIdOwner> = new Map()

  return ({ caller, key }) => {
    const now = deps.snapshot()?.terms
    if (now === undefined) return installation
    if (now !== list) {
      list = now
      entries = new Map(now.entries.map((entry) => [`${entry.scope} ${entry.subject}`, entry]))
      owners = new Map(Object.entries(now.owners))
    }
    const { authId } = caller
    const owner = key ?? deps.ownerOf(authId) ?? owners.get(authId)
    // As the directory knows the caller, else as the edge says.
    const groupId = owner?.groupId ?? caller.groupId
    const said = [
      entries.get(`credential ${authId}`),
      groupId === undefined ? undefined : entries.get(`group ${groupId}`),
      owner?.organizationId === undefined ? undefined : entries.get(`organization ${owner.organizationId}`),
    ]
    return said.every((terms) => terms === undefined) ? installation : merged(said, installation)
  }
}

function merged(said: readonly (Terms | undefined)[], installation: RequestTerms): RequestTerms {
  const { abort, drainMs, drainBytes, drainTokens, maxConcurrent, bodySample } = mergeTerms(said)
  const { drain } = installation
  const tokens = drainTokens ?? drain.tokens
  return {
    abort: abort ?? installation.abort,
    drain: { ms: drainMs ?? drain.ms, bytes: drainBytes ?? drain.bytes, ...(tokens !== undefined && { tokens }) },
    maxConcurrent,
    bodySample,
  }
}

/** A request in flight tends to end within a second; who asks again earlier only asks more often. */
const AGAIN_MS = 1000

/** How many requests each credential has here at once; only of those that have a limit. */
export class ConcurrencyCounts {
  readonly #running = new Map<string, number>()

  isFull(authId: string, maxConcurrent: number): boolean {
    return (this.#running.get(authId) ?? 0) >= maxConcurrent
  }

  /** Counts one more until what it returns is called; a second call does nothing. */
  take(authId: string): () => void {
    this.#running.set(authId, (this.#running.get(authId) ?? 0) + 1)
    let taken = true
    return () => {
      if (!taken) return
      taken = false
      const left = (this.#running.get(authId) ?? 1) - 1
      if (left === 0) this.#running.delete(authId)
      else this.#running.set(authId, left)
    }
  }
}

/** More at once than its terms allow: nothing was done, and it may come again. */
export function crowdedReply(maxConcurrent: number): Reply {
  const message =
    `Too many requests of this API key at once. Limit: ${maxConcurrent}. Please try again when one of them has ended; ` +
    'one that its client has left counts for as long as the engine works on it.'
  return openAiError(429, { message, type: 'requests', code: 'concurrency_limit_exceeded' }, retryHeaders(AGAIN_MS))
}
