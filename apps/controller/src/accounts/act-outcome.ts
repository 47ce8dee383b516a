import { CloudSigmaError, CloudSigmaRequestError, OwnerMismatchError } from '@ascribe/cloudsigma'
import { ImpersonationError } from '@ascribe/impersonation'
import { AscribeError } from '@ascribe/kit'
import type { ActRecord } from '@ascribe/usage'

/** What is written down of how an act ended. */
export type Ending = Pick<ActRecord, 'outcome' | 'made' | 'status' | 'fault' | 'cloudRequestId'>

/** Longest text of another program that is kept; ids of requests are 32 to 64 characters. */
const TEXT_LENGTH_MAX = 128

/** The ending of a call that came back: answers that say what was made, as `Made` does, are read. */
export function endingOf(result: unknown, type: 'server' | 'drive'): Ending {
  const made = textAt(objectAt(result, 'object'), 'uuid')
  const requestId = textAt(result, 'requestId')
  return {
    outcome: 'done',
    ...(made !== undefined && { made: { type, uuid: made } }),
    ...(requestId !== undefined && { cloudRequestId: requestId }),
  }
}

/** The ending of a call that threw. Never its message: that may hold what a peer has said. */
export function endingOfError(error: unknown, type: 'server' | 'drive'): Ending {
  if (error instanceof CloudSigmaError) {
    const { kind, effect, status, requestId } = error.fault
    return {
      outcome: effect === 'none' ? 'refused' : 'failed',
      fault: kind,
      ...(status !== undefined && { status }),
      ...(requestId !== undefined && { cloudRequestId: requestId.slice(0, TEXT_LENGTH_MAX) }),
    }
  }
  // It exists, and belongs to somebody else: the one thing that must not be said to have failed.
  if (error instanceof OwnerMismatchError) return { outcome: 'done', fault: 'owner_mismatch', made: { type, uuid: error.created } }
  // Without a token nothing goes to the cloud; what is not well-formed is not sent.
  if (error instanceof ImpersonationError) return { outcome: 'not_sent', fault: error.reason }
  if (error instanceof CloudSigmaRequestError) return { outcome: 'not_sent', fault: 'request_invalid' }
  const reason = error instanceof AscribeError ? (textAt(error, 'reason') ?? error.code) : undefined
  if (isRefusedBeforehand(error)) return { outcome: 'not_sent', fault: reason ?? 'fenced' }
  return { outcome: 'failed', fault: reason ?? 'unexpected' }
}

/** Errors of the fence and of the authority: thrown by what stands in front of the socket. Known by their names, since they are others' classes. */
function isRefusedBeforehand(error: unknown): boolean {
  return error instanceof Error && ['FencedError', 'LeadershipLostError', 'AuthorityError'].includes(error.name)
}

function objectAt(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function textAt(value: unknown, name: string): string | undefined {
  const found = objectAt(value, name)
  return typeof found === 'string' && found !== '' ? found.slice(0, TEXT_LENGTH_MAX) : undefined
}
