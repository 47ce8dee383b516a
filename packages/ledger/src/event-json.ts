import type { UsageRecord } from '@ascribe/usage'

/** A record, and whose it is. */
export type LedgerRecord = {
  readonly record: UsageRecord
  /** By the directory, as of the record's instant; absent when it is attributed to nobody. */
  readonly organizationId?: string
}

/** A usage event as it goes out: the fields of the reference under their names, and ours. Absent fields are left out. */
export type EventJson = Readonly<Record<string, unknown>>

/**
 * Makes the event of a record. Token counts that nobody knows are null, never 0. `prompt_tokens` is the engine's total with
 * cached tokens inside; `meters` holds the disjoint classes. `user_id`, `group_id` and `org_id` are what the edge claimed;
 * `organization_id` is whose it is.
 */
export function toEventJson({ record, organizationId }: LedgerRecord): EventJson {
  const event: Record<string, unknown> = {
    event_id: record.eventId,
    request_id: record.requestId,
    auth_id: record.authId,
    user_id: record.userId,
    group_id: record.groupId,
    org_id: record.claimedOrganizationId,
    organization_id: organizationId,
    resource_id: record.resourceId,
    resource_type: record.resourceType,
    model: record.model,
    base_model: record.baseModel,
    model_asked: record.modelAsked,
    prompt_tokens: record.promptTokens,
    cached_tokens: record.cachedTokens,
    completion_tokens: record.completionTokens,
    meters: record.meters,
    finish_reason: record.finishReason,
    aborted: record.outcome === 'aborted',
    outcome: record.outcome,
    provenance: record.provenance,
    status: record.status,
    route: record.route,
    api: record.api,
    streamed: record.streamed,
    identified_by: record.identifiedBy,
    started_unix_ms: record.startedAt,
    timestamp_unix_ms: record.endedAt,
    first_byte_ms: record.firstByteMs,
    headers: record.headers,
  }
  for (const name of Object.keys(event)) if (event[name] === undefined) delete event[name]
  return event
}
