import type { ApiError, ApiErrorCode } from '@ascribe/contract'

/** A refusal on its way to the caller. Thrown inside a route, turned into a reply in one place. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ApiErrorCode
  /** Which events of a batch, and why. */
  readonly events: ApiError['error']['events']

  constructor(code: ApiErrorCode, message: string, options: { readonly events?: ApiError['error']['events'] } = {}) {
    super(message)
    this.code = code
    this.events = options.events
  }
}

export function errorBody(code: ApiErrorCode, message: string, events?: ApiError['error']['events']): ApiError {
  return { error: { code, message, ...(events !== undefined && { events }) } }
}
