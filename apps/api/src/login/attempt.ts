import { timingSafeEqual } from 'node:crypto'
import type { ServerSecret } from '@ascribe/identity'
import { seal, unseal } from '@ascribe/identity/oidc'
import type { LoginSecrets } from '@ascribe/identity/oidc'

/** A sign-in that is under way, as the browser keeps it: sealed, so that nobody writes to a database who has not signed in. */
export type LoginAttempt = {
  readonly secrets: LoginSecrets
  readonly returnTo: string
  readonly organizationId?: string
  /** Epoch milliseconds. */
  readonly endsAt: number
}

/** Who takes longer begins again. */
export const ATTEMPT_MS: number = 10 * 60_000

/** Of one browser at once: their cookies must not outgrow the head of a request. */
export const ATTEMPTS_MAX = 4

const PURPOSE = 'login'

export function sealAttempt(serverSecret: ServerSecret, attempt: LoginAttempt): string {
  return seal(serverSecret, { purpose: PURPOSE, place: attempt.secrets.state }, JSON.stringify(attempt)).toString('base64url')
}

/** The attempt that this browser began with that state; `undefined`: none, or it has taken too long. */
export function openAttempt(
  serverSecret: ServerSecret,
  { value, state, now }: { readonly value: string; readonly state: string; readonly now: number },
): LoginAttempt | undefined {
  const text = unseal(serverSecret, { purpose: PURPOSE, place: state }, Buffer.from(value, 'base64url'))
  if (text === undefined) return undefined
  // It opens with what this process, or another one of ours, has sealed.
  const attempt = JSON.parse(text) as LoginAttempt
  const [mine, given] = [Buffer.from(attempt.secrets.state), Buffer.from(state)]
  return mine.length === given.length && timingSafeEqual(mine, given) && now < attempt.endsAt ? attempt : undefined
}
