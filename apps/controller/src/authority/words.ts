import { OWNER_ANNOTATIONS } from '@ascribe/kinds'
import type { NamingObject } from './types.ts'

/** What one object says about its owner. None of it is authority (H-1): it selects among the bindings of the namespace. */
export type Words =
  | {
      readonly ok: true
      /** Normalized, each once. */
      readonly emails: readonly string[]
      readonly bindings: readonly string[]
      /** Names of Secrets in the object's own namespace. */
      readonly secrets: readonly string[]
    }
  | { readonly ok: false; readonly message: string }

const EMAIL_LENGTH_MAX = 254
/** After NFKC, printable ASCII only: what looks like a letter and is another one is refused, not guessed at (H-6). */
const EMAIL = /^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/

/** How addresses are compared; `undefined` for what is none. Only for looking up: the identity is the UUID. */
export function normalizeEmail(text: string): string | undefined {
  const email = text.normalize('NFKC').toLowerCase()
  return email.length <= EMAIL_LENGTH_MAX && EMAIL.test(email) ? email : undefined
}

/** Reads what an object says. `namespace` is its own: a `userRef` that names another is refused (H-4). */
export function wordsOf(object: NamingObject | undefined, namespace: string): Words {
  const { userEmail, userRef, ownerBindingRef } = object?.spec ?? {}
  const annotations = object?.metadata.annotations ?? {}
  const said = OWNER_ANNOTATIONS.flatMap((name) => {
    const value = annotations[name]
    return value === undefined || value === '' ? [] : [value]
  })
  if (userRef?.namespace !== undefined && userRef.namespace !== '' && userRef.namespace !== namespace)
    return { ok: false, message: `spec.userRef names a Secret of namespace ${userRef.namespace}; it must be in ${namespace}` }
  const emails = new Set<string>()
  for (const text of [...(userEmail === undefined || userEmail === '' ? [] : [userEmail]), ...said]) {
    const email = normalizeEmail(text)
    if (email === undefined) return { ok: false, message: 'the owner is named by what is no e-mail address; write it in plain letters' }
    emails.add(email)
  }
  return {
    ok: true,
    emails: [...emails],
    bindings: ownerBindingRef === undefined ? [] : [ownerBindingRef.name],
    secrets: userRef === undefined ? [] : [userRef.name],
  }
}

export function isSilent(words: Words): boolean {
  return words.ok && words.emails.length === 0 && words.bindings.length === 0 && words.secrets.length === 0
}
