import type { Reply } from '@ascribe/relay'
import type { ClaimOutcome } from './idempotency-store.ts'
import { retryHeaders } from './limit-headers.ts'
import { invalidRequest, openAiError, serverError } from './replies.ts'

/** 1 to 255 printable ASCII characters. */
const VALID = /^[\x20-\x7e]{1,255}$/

export function isIdempotencyKey(value: string): boolean {
  return VALID.test(value)
}

/** A key that protects nobody is no key: who sent it would believe that he is safe. */
export function invalidKeyReply(): Reply {
  const message = 'Invalid Idempotency-Key: it must come once, and be 1 to 255 printable ASCII characters.'
  return invalidRequest(message, { code: 'invalid_idempotency_key', param: 'Idempotency-Key' })
}

/** Clients of OpenAI ask again on 409, which is right only while the first request may still fail. */
export function takenReply({ kind, eventId }: Exclude<ClaimOutcome, { kind: 'claimed' }>): Reply {
  const isDone = kind === 'completed'
  const message = isDone
    ? `This Idempotency-Key was used: request ${eventId} was answered in full and is billed. Replies are not stored; send another key to ask again.`
    : `This Idempotency-Key is in use: request ${eventId} is still being answered. It is free again if that one fails.`
  return openAiError(
    409,
    {
      message,
      type: 'invalid_request_error',
      code: isDone ? 'idempotency_key_used' : 'idempotency_key_in_use',
      param: 'Idempotency-Key',
    },
    isDone ? ['x-should-retry', 'false'] : retryHeaders(AGAIN_MS),
  )
}

const AGAIN_MS = 1000

/** Whether the key was used cannot be told: to serve the request might be to bill it twice. */
export function unavailableReply(): Reply {
  return serverError(
    503,
    'The gateway cannot tell whether this Idempotency-Key was used, and so does not serve the request. Try again soon.',
    'idempotency_unavailable',
    retryHeaders(AGAIN_MS),
  )
}
