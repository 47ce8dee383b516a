import type { Reply } from '../oauth/http.ts'
import type { ApiRequest } from './api-request.ts'
import type { Actor } from './authenticate.ts'
import type { AuditEntry, Entity } from './entities.ts'
import { refTo } from './fields.ts'
import { listReply } from './lists.ts'
import type { RegionState } from './region-state.ts'

const AUDIT_MAX = 20_000
const CATEGORIES: Readonly<Record<string, string>> = {
  servers: 'Servers',
  drives: 'Drives',
  vlans: 'VLANs',
  ips: 'IPs',
  tags: 'Tags',
  acls: 'ACLs',
}

export type AuditFact = {
  readonly action: string
  readonly entity: Entity
  readonly at: number
  readonly actor?: Actor
  readonly details?: unknown
}

/** Writes a line into the log of the object's owner. `details` go in whole, secrets too: the cloud does so. */
export function writeAudit(state: RegionState, { action, entity, at, actor, details }: AuditFact): void {
  const owner = entity.owner ?? ''
  state.audit.push({
    at,
    action,
    category: CATEGORIES[entity.kind] ?? entity.kind,
    actor: actor?.user.uuid ?? owner,
    client: actor?.clientId,
    owner,
    uuid: entity.uuid,
    details: details === undefined ? '' : JSON.stringify(details),
    success: true,
    errorType: null,
    errorMessage: '',
  })
  if (state.audit.length > AUDIT_MAX) state.audit.splice(0, AUDIT_MAX / 10)
}

/** `GET /logs/`: newest first, what happened to the caller's objects and what the caller did. */
export function listLogs(request: ApiRequest): Reply {
  const { state, actor, world } = request
  const mine = state.audit.filter(({ owner, actor: by }) => owner === actor.user.uuid || by === actor.user.uuid).toReversed()
  return listReply(request, mine, (entry) => logJson(entry, world.knobs.actInLogs))
}

function logJson(entry: AuditEntry, showsAct: boolean): Readonly<Record<string, unknown>> {
  const { action, category, details, success, errorType, errorMessage, at, uuid, client } = entry
  return {
    action,
    actor: refTo('user', entry.actor),
    category,
    details,
    error_message: errorMessage,
    error_point: null,
    error_type: errorType,
    success,
    timestamp: new Date(at).toISOString().replace('T', ' ').replace('Z', '000+00:00'),
    uuid,
    ...(showsAct && client !== undefined && { act: client }),
  }
}
