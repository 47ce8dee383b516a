import type { ClientFetch } from '@ascribe/contract/client'
import { NoAnswerError } from './fault.ts'

/** Answers on every listener, about nobody. */
const PROBE_PATH = '/healthz'

/**
 * `fetch` for the client. An API behind Teleport sends whoever is not signed in any more to a sign-in page of another site: never followed
 * by a script, it is known for what it is (R13). Of another origin a browser shows nothing of that answer but a failure, like that of a dead
 * line: then a probe tells them apart.
 */
export function createFetch(origin: string): ClientFetch<Response> {
  return async (url, init) => {
    const isOwn = new URL(url).origin === location.origin
    const reply = await fetch(url, { ...init, cache: 'no-store', ...(isOwn && { redirect: 'manual' as const }) }).catch(
      async (cause: unknown) => {
        if (init.signal?.aborted === true) throw cause
        throw new NoAnswerError((await isReached(origin)) ? 'signed_out' : 'offline', { cause })
      },
    )
    if (reply.type === 'opaqueredirect') throw new NoAnswerError('signed_out')
    return reply
  }
}

/**
 * Whether something answers there, whatever it says: a `no-cors` request resolves. One that was sent on to a sign-in page is stopped by this
 * page's own policy, which tells of it: also an answer.
 */
async function isReached(origin: string): Promise<boolean> {
  const url = new URL(PROBE_PATH, origin).href
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const onBlocked = ({ blockedURI }: SecurityPolicyViolationEvent): void => {
    if (url.startsWith(blockedURI)) resolve(true)
  }
  document.addEventListener('securitypolicyviolation', onBlocked)
  try {
    await fetch(url, { mode: 'no-cors', credentials: 'include', cache: 'no-store' })
    return true
  } catch {
    // The event comes as a task of its own, after the failure.
    setTimeout(() => resolve(false), 50)
    return await promise
  } finally {
    document.removeEventListener('securitypolicyviolation', onBlocked)
  }
}

/** How it stands with the host that this page came from. */
export type Reach = 'answers' | 'signed_out' | 'offline'

/** Whether the page's own files can be had: behind Teleport they are shut too when the sign-in is over. */
export async function reachOfOwnFiles(): Promise<Reach> {
  try {
    const reply = await fetch(PROBE_PATH, { redirect: 'manual', cache: 'no-store' })
    return reply.type === 'opaqueredirect' ? 'signed_out' : 'answers'
  } catch {
    return 'offline'
  }
}
