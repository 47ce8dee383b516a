const VALID = /^[\x21-\x7e]{1,200}$/

/** The plain-text answer to an `X-Request-Id` that cannot be used. */
export const INVALID_REQUEST_ID = 'invalid X-Request-Id: must be at most 200 printable ASCII (no spaces) characters'

/** Whether a client's `X-Request-Id` can be kept: 1 to 200 characters, each in 0x21–0x7e. */
export function isRequestId(value: string): boolean {
  return VALID.test(value)
}
