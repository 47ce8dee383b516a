import { ClientRefusedError, MintUnavailableError, OwnerRefusedError } from '../../src/errors.ts'
import type { Reason } from '../../src/errors.ts'
import type { WireStep } from '../../src/refusal.ts'

// The ways in which a step fails.

/** Nobody is to blame, and it may be tried again, after `retryAfterMs` where that is given. */
export function down(step: WireStep, reason: Reason = 'server_error', retryAfterMs?: number): Error {
  return new MintUnavailableError('down', { step, reason, retryAfterMs })
}

/** Keycloak refuses us, whoever the owner is. */
export function clientRefused(step: WireStep, reason: Reason = 'client_refused'): Error {
  return new ClientRefusedError('refused', { step, reason })
}

/** There is no such user. */
export function unknownUser(): Error {
  return new OwnerRefusedError('unknown', { step: 'impersonate', reason: 'user_unknown', status: 404 })
}
