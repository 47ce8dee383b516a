import { SECRETS, isKubeError } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'

/** The key that the founding document gives it. */
const KEY = 'userEmail'
/** A template of a thousand machines names one Secret. */
const KEPT_MS = 10_000
const KEPT_MAX = 1000

export type UserRefAnswer = { readonly ok: true; readonly email: string } | { readonly ok: false; readonly message: string }

/** Reads the address in a Secret by `get` of its name, in one namespace; kept for {@link KEPT_MS}. Rejects never. */
export type UserRefs = (ref: { readonly namespace: string; readonly name: string }) => Promise<UserRefAnswer>

export function createUserRefs(kube: Pick<KubeClient, 'tryGet'>, monotonic: () => number): UserRefs {
  const kept = new Map<string, { readonly answer: Promise<UserRefAnswer>; readonly until: number }>()
  return (ref) => {
    const key = `${ref.namespace}/${ref.name}`
    const found = kept.get(key)
    if (found !== undefined && monotonic() < found.until) return found.answer
    const answer = read(kube, ref)
    kept.delete(key)
    kept.set(key, { answer, until: monotonic() + KEPT_MS })
    const [oldest] = kept.keys()
    if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest)
    return answer
  }
}

async function read(kube: Pick<KubeClient, 'tryGet'>, ref: { readonly namespace: string; readonly name: string }): Promise<UserRefAnswer> {
  const place = `Secret ${ref.namespace}/${ref.name}`
  try {
    const secret = await kube.tryGet(SECRETS, ref, { deadlineMs: 10_000 })
    if (secret === undefined) return { ok: false, message: `${place}, which spec.userRef names, does not exist` }
    const email = Buffer.from(secret.data?.[KEY] ?? '', 'base64')
      .toString('utf8')
      .trim()
    return email === '' ? { ok: false, message: `${place} has no key ${KEY}` } : { ok: true, email }
  } catch (error) {
    if (isKubeError(error, 'Forbidden'))
      return {
        ok: false,
        message: `the controller may not get ${place}: namespace ${ref.namespace} lacks the RoleBinding that is made with a binding`,
      }
    return { ok: false, message: `${place} cannot be read now` }
  }
}
