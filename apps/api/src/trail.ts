import type { Queryable } from '@ascribe/postgres'
import { Refusal } from './errors.ts'
import type { Caller } from './handler.ts'

/** Whose log a line is in: an organization's, or that of the installation. */
export type Chain = string
export const INSTALLATION: Chain = 'installation'

export type AuditActor = {
  readonly kind: 'operator' | 'user' | 'key' | 'platform' | 'system'
  readonly id: string
  readonly issuer?: string
  readonly name?: string
  readonly email?: string
  readonly roles?: readonly string[]
  readonly via: string
}

export type AuditEntry = {
  readonly chain: Chain
  readonly kind: 'read' | 'write' | 'session' | 'support' | 'refusal' | 'stream_end' | 'mint' | 'admin' | 'key'
  readonly at: number
  readonly actor: AuditActor
  readonly act?: { readonly sessionId: string; readonly reason?: string; readonly ticket?: string; readonly expiresAt?: number }
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly status?: number
  readonly requestId?: string
  readonly aboutOrganizationId?: string
  readonly detail?: Readonly<Record<string, string | number | boolean>>
}

/** Where lines go. Both reject when they cannot be made durable, and then nothing may be told or changed. */
export type Trail = {
  append(entries: readonly AuditEntry[]): Promise<unknown>
  /** In a transaction of the caller's, as its last statement. */
  appendIn(tx: Queryable, entries: readonly AuditEntry[]): Promise<unknown>
}

/** Without a trail nothing may happen that belongs into one. */
export const noTrail: Trail = {
  append: () => Promise.reject(new Refusal('audit_unavailable', 'There is no trail here, so nothing may leave a line.')),
  appendIn: () => Promise.reject(new Refusal('audit_unavailable', 'There is no trail here, so nothing may leave a line.')),
}

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
  const { sessionId, reason, ticket, expiresAt } = caller.acting
  return { sessionId, reason, ticket, expiresAt }
}
