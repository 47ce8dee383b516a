import type { TokenClock } from './clock.ts'
import { AnswerInvalidError, ClientRefusedError, OwnerRefusedError, SubjectMismatchError } from './errors.ts'
import type { ImpersonationError } from './errors.ts'
import { LruMap } from './lru-map.ts'

/** Refusals that are remembered, so that what was refused is not asked again at once. */
export type Denials = {
  /** The remembered refusal, as a new error; `undefined` when one may ask. */
  find(key: string): ImpersonationError | undefined
  remember(key: string, error: ImpersonationError): void
  forget(key: string): void
  clear(): void
}

const FIRST_MS = 30_000
/** An owner's state changes seldom; a tenth of the time is jitter. */
const LAST_MS = 600_000

type Denial = { readonly error: ImpersonationError; readonly until: number; readonly count: number }

export type DenialsOptions = { readonly clock: TokenClock; readonly random: () => number; readonly max: number; readonly lastMs?: number }

/** Remembers for 30 s, then for twice as long each time that it is refused again, up to ten minutes. */
export function createDenials({ clock, random, max, lastMs = LAST_MS }: DenialsOptions): Denials {
  const denials = new LruMap<Denial>(max)
  return {
    find(key) {
      const denial = denials.get(key)
      const leftMs = denial === undefined ? 0 : denial.until - clock.monotonicMs()
      return denial === undefined || leftMs <= 0 ? undefined : again(denial.error, leftMs)
    },
    remember(key, error) {
      const count = (denials.get(key)?.count ?? 0) + 1
      // What is no answer at all is trouble on the way, a gateway's page for one: when that is over, nobody should have to wait long.
      const mostMs = error instanceof AnswerInvalidError ? FIRST_MS : lastMs
      const lengthMs = Math.min(mostMs, FIRST_MS * 2 ** Math.min(count - 1, 20))
      denials.set(key, { error, count, until: clock.monotonicMs() + lengthMs * (1 - 0.1 * random()) })
    },
    forget: (key) => void denials.delete(key),
    clear: () => denials.clear(),
  }
}

/** A new error for each caller: one with the stack of whoever asked first would send people to the wrong place. */
function again(error: ImpersonationError, leftMs: number): ImpersonationError {
  const { step, reason, status, hint, requestId } = error
  const fields = { step, reason, status, hint, requestId, retryAfterMs: Math.ceil(leftMs) }
  const message = `${error.message}; remembered, and not asked again for ${Math.ceil(leftMs / 1000)} s`
  if (error instanceof OwnerRefusedError) return new OwnerRefusedError(message, fields)
  if (error instanceof SubjectMismatchError) return new SubjectMismatchError(message, fields)
  if (error instanceof AnswerInvalidError) return new AnswerInvalidError(message, fields)
  return new ClientRefusedError(message, fields)
}

/** Who a failure is about: this owner here, our client as a whole, or nobody in particular. */
export function concernOf(error: ImpersonationError): 'owner' | 'client' | 'nobody' {
  const isShared = error.step === 'service_token' || error.step === 'rpt'
  if (error instanceof OwnerRefusedError || error instanceof SubjectMismatchError) return 'owner'
  if (error instanceof ClientRefusedError || error instanceof AnswerInvalidError) return isShared ? 'client' : 'owner'
  return 'nobody'
}
