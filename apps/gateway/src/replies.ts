import type { RawHeaders, Refusal, Reply } from '@ascribe/relay'

/** The `error` object of OpenAI's error replies, which every OpenAI client knows how to show. */
export type OpenAiError = {
  readonly message: string
  /** OpenAI's own words: `invalid_request_error`, `authentication_error`, `server_error`, … */
  readonly type: string
  readonly code: string | null
  readonly param?: string | null
}

/** An error in OpenAI's shape: `{"error":{"message","type","param","code"}}`. */
export function openAiError(status: number, error: OpenAiError, headers: RawHeaders = []): Reply {
  const { message, type, param = null, code } = error
  return jsonReply(status, { error: { message, type, param, code } }, headers)
}

export function jsonReply(status: number, value: unknown, headers: RawHeaders = []): Reply {
  return { status, headers: ['content-type', 'application/json', ...headers], body: JSON.stringify(value) }
}

/** One line of plain text, as the billing gate has always answered. */
export function plainReply(status: number, line: string): Reply {
  return { status, headers: ['content-type', 'text/plain; charset=utf-8'], body: `${line}\n` }
}

/** Bad input of the client, in OpenAI's words. */
export function invalidRequest(
  message: string,
  options: { readonly status?: number; readonly code?: string; readonly param?: string } = {},
): Reply {
  const { status = 400, code = null, param = null } = options
  return openAiError(status, { message, type: 'invalid_request_error', code, param })
}

/** The gateway or the upstream cannot serve now. */
export function serverError(status: number, message: string, code: string, headers: RawHeaders = []): Reply {
  return openAiError(status, { message, type: 'server_error', code }, headers)
}

/** Nobody has said how to meter this yet. Clients of OpenAI and Anthropic try every 5xx again unless they are told not to. */
export function notServed(message: string, code: string): Reply {
  const reply = invalidRequest(message, { status: 501, code })
  return { ...reply, headers: [...reply.headers, 'x-should-retry', 'false'] }
}

const RETRY_SOON: RawHeaders = ['retry-after', '1']

const REFUSALS: Readonly<Record<Refusal, Reply>> = {
  bad_request: invalidRequest('The request is not valid HTTP.', { code: 'bad_request' }),
  headers_too_large: invalidRequest("The request's headers are too large.", { status: 431, code: 'headers_too_large' }),
  body_too_large: invalidRequest("The request's body is too large.", { status: 413, code: 'body_too_large' }),
  request_timeout: invalidRequest('The request did not arrive in time.', { status: 408, code: 'request_timeout' }),
  overloaded: serverError(503, 'The gateway holds as many requests as it can. Try again soon.', 'overloaded', RETRY_SOON),
  too_many_connections: serverError(
    503,
    'The gateway has as many connections as it may. Try again soon.',
    'too_many_connections',
    RETRY_SOON,
  ),
  unsupported: notServed('The request asks for something that this gateway does not do.', 'unsupported'),
  websocket: notServed(
    'WebSocket connections are refused: what passes on them (realtime) cannot be metered here. Use plain requests or event streams.',
    'realtime_not_served',
  ),
}

/**
 * What the relay says when it refuses a request by itself, often before it knows its path: an error in OpenAI's shape that clients of Anthropic's
 * API read too, as theirs has one more member.
 */
export function refusalReply(refusal: Refusal): Reply {
  const reply = REFUSALS[refusal]
  return { ...reply, body: `{"type":"error",${reply.body.toString().slice(1)}` }
}

/** The journal cannot take another request: nobody could be billed for it. */
export function notAdmittedReply(): Reply {
  return serverError(
    503,
    'The gateway cannot record this request, and so does not serve it. Try again soon.',
    'metering_unavailable',
    RETRY_SOON,
  )
}
