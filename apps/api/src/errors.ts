import type { ApiError, ApiErrorCode } from '@ascribe/contract'

/** A refusal on its way to the caller. Thrown inside a route, turned into a reply in one place. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ApiErrorCode

  constructor(code: ApiErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export function errorBody(code: ApiErrorCode, message: string): ApiError {
  return { error: { code, message } }
}
