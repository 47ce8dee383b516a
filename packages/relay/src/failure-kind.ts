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
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      // Before a head: the head itself gave two lengths.
      return phase === 'sent' ? 'protocol' : broken
    default:
      return isNotHttp(error, code) ? 'protocol' : broken
  }
}

/** undici gives its parser's errors no code of their own and one code to all that it finds wrong with a socket. */
function isNotHttp(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false
  if (code === 'UND_ERR_SOCKET') return error.message === 'bad response' || error.message === 'bad upgrade'
  // A chunked body that ended before its last chunk has broken off; its bytes were good.
  return (error.name === 'HTTPParserError' && !error.message.includes('EOF')) || code === 'ERR_ASSERTION'
}
