import type { AuditActor, AuditEntry, Trail } from '@ascribe/ledger'
import { Refusal } from './errors.ts'
import type { Caller } from './handler.ts'

const refuse = (): Promise<never> =>
  Promise.reject(new Refusal('audit_unavailable', 'There is no trail here, so nothing may happen that belongs into it.'))

/** Without a trail nothing may happen that belongs into one. */
export const noTrail: Pick<Trail, 'append' | 'appendIn' | 'signedHead'> = { append: refuse, appendIn: refuse, signedHead: refuse }

/** Who stands in the line. */
export function actorOf(caller: Caller): AuditActor {
  switch (caller.kind) {
    case 'operator':
      return { kind: 'operator', id: caller.name, issuer: caller.issuer, roles: caller.roles, via: 'teleport' }
    case 'user':
      return {
        kind: 'user',
        id: caller.subject,
        ...(caller.name !== undefined && { name: caller.name }),
        ...(caller.email !== undefined && { email: caller.email }),
        roles: [caller.role],
        via: caller.via,
      }
    case 'key':
      return { kind: 'key', id: caller.authId, via: 'api_key' }
    case 'platform':
      return { kind: 'platform', id: caller.credentialId, via: 'admin_key' }
    case 'sender':
      return { kind: 'system', id: caller.sender.kind === 'installation' ? caller.sender.name : caller.sender.authId, via: 'events' }
    case 'anonymous':
      return { kind: 'system', id: 'anonymous', via: 'none' }
  }
}

/** On whose behalf, and why: of operators with a session. */
export function actOf(caller: Caller): AuditEntry['act'] {
  if (caller.kind !== 'operator' || caller.acting === undefined) return undefined
  const { id, reason, ticket, expiresAt } = caller.acting
  return { sessionId: id, reason, ticket, expiresAt }
}
