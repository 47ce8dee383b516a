import { createHash } from 'node:crypto'
import type { Clocks, KubeClient } from '@ascribe/kube'
import type { Caller } from './types.ts'

export type Callers = {
  /** Who sends the token, by the API server; `undefined`: nobody. */
  identify(authorization: string | undefined): Promise<Caller | undefined>
}

/** A pod that was deleted keeps its access for so long at most. */
const KNOWN_MS = 30_000
/** Whoever sends nonsense costs one review each time; the same nonsense costs none. */
const REFUSED_MS = 10_000
const REMEMBERED_MAX = 1000
const REVIEW_MS = 5000
const TOKEN_MAX = 8192
const ACCOUNT = /^system:serviceaccount:([a-z0-9.-]{1,253}):([a-z0-9.-]{1,253})$/
const BEARER = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/

type Known = { readonly until: number; readonly caller: Promise<Caller | undefined> }

/**
 * Tokens of service accounts that are bound to a pod and meant for one audience, reviewed by the API server: it knows at once when
 * the pod or the account is gone. A token without a pod, which somebody may have copied out of a Secret long ago, is nobody's.
 */
export function createCallers(
  kube: Pick<KubeClient, 'reviewToken'>,
  { audience, clocks }: { readonly audience: string; readonly clocks: Clocks },
): Callers {
  const known = new Map<string, Known>()

  async function review(token: string): Promise<Caller | undefined> {
    const found = await kube.reviewToken(token, { audiences: [audience], deadlineMs: REVIEW_MS })
    if (!found.authenticated) return undefined
    const [, namespace, serviceAccount] = ACCOUNT.exec(found.user.username) ?? []
    const pod = found.user.extra['authentication.kubernetes.io/pod-name']?.[0]
    if (namespace === undefined || serviceAccount === undefined || pod === undefined) return undefined
    return { namespace, serviceAccount, uid: found.user.uid, pod }
  }

  function ask(token: string): Promise<Caller | undefined> {
    // By its hash: what is remembered must not be a bearer.
    const id = createHash('sha256').update(token).digest('base64url')
    const now = clocks.monotonic()
    const remembered = known.get(id)
    if (remembered !== undefined && now < remembered.until) return remembered.caller
    const caller = review(token)
    known.delete(id)
    known.set(id, { until: now + KNOWN_MS, caller })
    const oldest = known.size > REMEMBERED_MAX ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    caller.then(
      (found) => found === undefined && known.set(id, { until: now + REFUSED_MS, caller }),
      // An API server that did not answer has said nothing.
      () => known.delete(id),
    )
    return caller
  }

  return {
    async identify(authorization) {
      const [, token] = BEARER.exec(authorization ?? '') ?? []
      return token === undefined || token.length > TOKEN_MAX ? undefined : ask(token)
    },
  }
}
