import { errorCode } from '@ascribe/kit'
import type { FailureKind } from './types.ts'

/** How far a request had come when it failed. */
export type FailurePhase = 'connecting' | 'sent' | 'headed'

/**
 * What an error of undici, of a socket or of TLS means at the seam. `connecting`: nothing of the request had been written.
 * `sent`: some of it had. `headed`: the head of the reply had come.
 */
export function failureKindOf(error: unknown, phase: FailurePhase): FailureKind {
  const code = errorCode(error) ?? ''
  if (phase === 'connecting') return code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT' ? 'connect_timeout' : 'connect'
  const broken = phase === 'sent' ? 'reset' : 'reply_reset'
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
      return 'head_timeout'
    case 'UND_ERR_BODY_TIMEOUT':
      return 'idle_timeout'
    case 'UND_ERR_HEADERS_OVERFLOW':
      return 'protocol'
    case 'HPE_INVALID_EOF_STATE':
      // A chunked body that ended before its last chunk.
      return broken
    case 'UND_ERR_SOCKET':
      return error instanceof Error && (error.message === 'bad response' || error.message === 'bad upgrade') ? 'protocol' : broken
    default:
      return code.startsWith('HPE_') || code === 'ERR_ASSERTION' ? 'protocol' : broken
  }
}
