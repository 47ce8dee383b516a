import type { FailureKind, Reply } from '@ascribe/relay'
import { notAdmittedReply, serverError } from './replies.ts'

/** What a client is told when no reply came from the upstream, with the id to ask about. The cause is in our log: it may name hosts. */
export function failureReply(kind: FailureKind, requestId: string): Reply {
  const reply = replyTo(kind)
  return { ...reply, headers: [...reply.headers, 'X-Request-Id', requestId] }
}

function replyTo(kind: FailureKind): Reply {
  switch (kind) {
    case 'not_admitted':
      return notAdmittedReply()
    case 'connect':
      return serverError(502, 'The inference engine cannot be reached.', 'upstream_unreachable')
    case 'connect_timeout':
      return serverError(504, 'The inference engine did not accept a connection in time.', 'upstream_timeout')
    case 'busy':
      return serverError(503, 'The inference engine has more requests than it takes. Try again soon.', 'upstream_busy', [
        'retry-after',
        '1',
      ])
    case 'head_timeout':
    case 'idle_timeout':
      return serverError(504, 'The inference engine did not answer in time.', 'upstream_timeout')
    case 'protocol':
      return serverError(502, 'The inference engine answered with something that is not HTTP.', 'upstream_protocol_error')
    case 'shutdown':
      return serverError(503, 'The gateway is shutting down. Try again.', 'shutting_down', ['retry-after', '1'])
    case 'reset':
    case 'reply_reset':
    case 'drain_exceeded':
      return serverError(502, 'The inference engine broke off its answer.', 'upstream_reset')
  }
}
