import type { Decision, Reply, RequestHead, Verdict } from '@ascribe/relay'

/** Anthropic's words for what went wrong, by status; others of a class are those of 400 and 500. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [500, 'api_error'],
  [503, 'overloaded_error'],
  [504, 'timeout_error'],
])

/** Lets what is answered without an upstream on the paths of Messages have the shape that its clients know. */
export function withMessagesErrors(onRequest: (head: RequestHead) => Verdict): (head: RequestHead) => Verdict {
  return (head) => {
    const verdict = onRequest(head)
    return head.target.includes('/v1/messages') ? ofMessages(verdict) : verdict
  }
}

function ofMessages(verdict: Verdict): Verdict {
  if (verdict.kind === 'reply') return { kind: 'reply', reply: messagesError(verdict.reply) }
  const { decide } = verdict
  return {
    ...verdict,
    decide(body): Decision {
      const decision = decide(body)
      return decision.kind === 'reply' ? { kind: 'reply', reply: messagesError(decision.reply) } : decision
    },
  }
}

/** `reply` in the shape `{"type":"error","error":{"type","message"}}`, if it is an error of ours; else as it is. */
export function messagesError(reply: Reply): Reply {
  const message = reply.status < 400 ? undefined : messageOf(reply.body)
  if (message === undefined) return reply
  const type = TYPES.get(reply.status) ?? TYPES.get(reply.status < 500 ? 400 : 500)
  return { ...reply, body: JSON.stringify({ type: 'error', error: { type, message } }) }
}

/** Of an error in OpenAI's shape; `undefined` for text that is none. */
function messageOf(body: string | Buffer): string | undefined {
  const text = body.toString()
  if (!text.startsWith('{"error":')) return undefined
  const { error }: { readonly error?: { readonly message?: unknown } } = JSON.parse(text)
  return typeof error?.message === 'string' ? error.message : undefined
}
