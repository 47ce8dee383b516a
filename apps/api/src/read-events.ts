import type { IngestedEvent, ListEventsQuery } from '@ascribe/contract'
import { listForeignEvents } from '@ascribe/ledger'
import type { StoredEvent } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'

/** The newest events that keys of an organization have sent. */
export async function listEvents(db: Database, organizationId: string, query: ListEventsQuery): Promise<readonly IngestedEvent[]> {
  const { limit, id, subject } = query
  const found = await listForeignEvents(db, {
    realm: organizationId,
    limit,
    ...(id !== undefined && { id }),
    ...(subject !== undefined && { authId: subject }),
  })
  return found.map(ingestedEvent)
}

/** Events are read, not kept: the data is what was read from them. */
function ingestedEvent({ source, id, type, receivedAt, record, superseded }: StoredEvent): IngestedEvent {
  const { authId, startedAt, meters, model, baseModel, resourceId, resourceType, userId } = record
  const data = {
    ...meters,
    resource_id: resourceId,
    ...(resourceType !== undefined && { resource_type: resourceType }),
    ...(model !== undefined && { model }),
    ...(baseModel !== undefined && { base_model: baseModel }),
    ...(userId !== undefined && { user_id: userId }),
  }
  const at = formatInstant(receivedAt)
  return {
    event: { specversion: '1.0', id, source, type, subject: authId, time: formatInstant(startedAt), data },
    ingestedAt: at,
    storedAt: at,
    ...(superseded !== undefined && { validationError: `counts no longer: ${superseded}` }),
  }
}
