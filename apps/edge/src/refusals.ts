/** Why a request is not let through. `reason` is for counters: one of a few words, never of the client's. */
export type Refusal =
  | { readonly kind: 'unauthenticated'; readonly reason: string }
  | { readonly kind: 'forbidden'; readonly reason: 'insufficient_scope' | 'no_rule' | 'unclear_place' }
  /** Neither yes nor no: a proxy that takes it for an answer still refuses. */
  | { readonly kind: 'unavailable'; readonly reason: 'no_policy' | 'no_issuer_keys' | 'failed'; readonly cause?: unknown }

export type RefusalReply = {
  readonly status: 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const REALM = 'Bearer realm="ascribe"'

/** What a client is told: OpenAI's shape, which every one of its clients shows. Which check a token failed is not said. */
export function refusalReply(refusal: Refusal): RefusalReply {
  switch (refusal.kind) {
    case 'unauthenticated': {
      // RFC 6750 section 3.1: who sent no credential is told of no error.
      const isAbsent = refusal.reason === 'no_key'
      const message = isAbsent
        ? 'You did not provide an API key. Send it in an Authorization header: Authorization: Bearer YOUR_KEY.'
        : 'Incorrect API key or token provided.'
      return replyOf(401, error(message, 'invalid_request_error', 'invalid_api_key'), {
        'www-authenticate': isAbsent ? REALM : `${REALM}, error="invalid_token"`,
      })
    }
    case 'forbidden':
      return refusal.reason === 'insufficient_scope'
        ? replyOf(403, error('This key may not be used for inference.', 'invalid_request_error', 'insufficient_scope'), {
            'www-authenticate': `${REALM}, error="insufficient_scope"`,
          })
        : replyOf(403, error('Nothing is served at this address.', 'invalid_request_error', 'not_served'), { 'www-authenticate': REALM })
    case 'unavailable':
      return replyOf(503, error('Credentials cannot be checked now. Try again soon.', 'server_error', 'authentication_unavailable'), {
        'retry-after': '1',
      })
  }
}

function error(message: string, type: string, code: string): string {
  return JSON.stringify({ error: { message, type, param: null, code } })
}

function replyOf(status: RefusalReply['status'], body: string, headers: Readonly<Record<string, string>>): RefusalReply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body }
}
