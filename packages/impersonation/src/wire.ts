/** One HTTP request with what it must not leak. */
export type WireRequest = {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Empty for GET. */
  readonly body: string
  /** Ends the request, connection and all. */
  readonly signal: AbortSignal
}

export type WireResponse = {
  readonly status: number
  /** By lower-case name; of several fields with one name the last. */
  readonly headers: ReadonlyMap<string, string>
  /** At most {@link BODY_BYTES_MAX}. May hold secrets: parse it, never print it. */
  readonly body: string
}

/**
 * Sends one request and follows nothing: a redirect comes back as it is (H-20). Rejects with {@link TransportError} when there is no
 * whole answer, and with the signal's reason when that is why.
 */
export type Transport = (request: WireRequest) => Promise<WireResponse>

/** A token with many roles has some tens of KiB; nothing that is a token answer is longer than this. */
export const BODY_BYTES_MAX: number = 256 * 1024

/** What is known of a failure on the way, without addresses or bodies: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `BODY_TOO_LARGE`. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly what: string

  constructor(what: string, options?: ErrorOptions) {
    super(what, options)
    this.what = what
  }
}
