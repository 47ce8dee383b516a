import { API_ERRORS } from '@ascribe/contract'
import type { ApiError, ApiErrorCode } from '@ascribe/contract'
import { InputError, errorCode } from '@ascribe/kit'
import { DatabaseError } from '@ascribe/postgres'

type RefusalOptions = {
  /** Which events of a batch, and why. */
  readonly events?: ApiError['events']
  /** Further headers of the answer: `Allow`, `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** A refusal on its way to the caller. Thrown inside a route, turned into a reply in one place. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ApiErrorCode
  readonly events: ApiError['events']
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ApiErrorCode, message: string, options: RefusalOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.events = options.events
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return API_ERRORS[this.code].status
  }
}

export function errorBody({ code, message, events }: Pick<Refusal, 'code' | 'message' | 'events'>, requestId: string): ApiError {
  return { reason: API_ERRORS[code].reason, code, message, requestId, ...(events !== undefined && { events }) }
}

/** What a caller is told of whatever was thrown. The reason of a fault is logged, never told. */
export function refusalOf(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  if (thrown instanceof InputError) return new Refusal('invalid_request', thrown.message, { cause: thrown })
  if (thrown instanceof DatabaseError && thrown.retryable) {
    return new Refusal('unavailable', 'The ledger cannot be asked now. Try again soon.', { headers: { 'retry-after': '1' }, cause: thrown })
  }
  if (errorCode(thrown) === 'AUDIT_TRAIL_DOWN') {
    const headers = { 'retry-after': '1' }
    return new Refusal('audit_unavailable', 'The trail cannot be written, so nothing is told or done. Try again soon.', {
      headers,
      cause: thrown,
    })
  }
  return new Refusal('internal', 'Something went wrong here. It has been logged.', { cause: thrown })
}
