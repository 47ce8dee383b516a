import type { Superseded } from './list-acts.ts'
import type { Meters, Outcome, Provenance, UsageRecord } from '@ascribe/usage'

/** A record, and whose it is. */
export type LedgerRecord = {
  readonly record: UsageRecord
  /** By the directory, as of the record's instant; absent when it is attributed to nobody. */
  readonly organizationId?: string
  /** That it counts no longer. Absent: it counts, or nobody asked. */
  readonly superseded?: Superseded
}

export type AttemptJson = {
  readonly upstream: string
  readonly started_ms: number
  readonly ended_ms: number
  readonly status?: number
  readonly failure?: string
  readonly provenance: Provenance
  readonly meters: Meters
  readonly billed: boolean
}

/** A usage event as it goes out: the fields of the reference under their names, and ours. What is absent is left out. */
export type EventJson = {
  readonly event_id: string
  /** The client's, if it was valid; correlation only. */
  readonly request_id: string
  readonly auth_id: string
  readonly user_id?: string
  readonly group_id?: string
  /** The organization that the edge claimed. */
  readonly org_id?: string
  /** Whose it is. */
  readonly organization_id?: string
  readonly resource_id: string
  readonly resource_type?: string
  readonly model?: string
  readonly base_model?: string
  readonly model_asked?: string
  /** The engine's totals, cached tokens inside `prompt_tokens`; null: unknown. */
  readonly prompt_tokens: number | null
  readonly cached_tokens: number | null
  readonly completion_tokens: number | null
  /** Disjoint classes. */
  readonly meters: Meters
  readonly finish_reason?: string
  /** Whether the client left early. */
  readonly aborted: boolean
  readonly outcome: Outcome
  readonly provenance: Provenance
  readonly status?: number
  readonly route: string
  readonly api: string
  readonly streamed: boolean
  readonly identified_by: string
  /** When the request was admitted: its instant. */
  readonly started_unix_ms: number
  /** When it ended. */
  readonly timestamp_unix_ms: number
  readonly first_byte_ms?: number
  /** The engine's usage was malformed or contradicted itself. */
  readonly invalid_usage?: true
  /** The client's `Idempotency-Key`. */
  readonly idempotency_key?: string
  /** Numbers of the engine's usage without a class of ours. */
  readonly unclassified?: Readonly<Record<string, number>>
  /** Every try at an upstream, where there was more than one. */
  readonly attempts?: readonly AttemptJson[]
  /** Every other X-Saturn-* header. */
  readonly headers?: Readonly<Record<string, string>>
  /** It counts no longer: what was done to it (`void`, `amend`, `undo`), by which act, and the record that counts instead. */
  readonly superseded?: string
  readonly superseded_by?: string
  readonly replaced_by?: string
}

/**
 * Makes the event of a record. Token counts that nobody knows are null, never 0. `prompt_tokens` is the engine's total with
 * cached tokens inside; `meters` holds the disjoint classes. `user_id`, `group_id` and `org_id` are what the edge claimed;
 * `organization_id` is whose it is.
 */
export function toEventJson({ record, organizationId, superseded }: LedgerRecord): EventJson {
  const event: { readonly [Name in keyof EventJson]-?: EventJson[Name] | undefined } = {
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
    invalid_usage: record.invalidUsage,
    idempotency_key: record.idempotencyKey,
    unclassified: record.unclassified,
    attempts: record.attempts?.map(({ startedMs, endedMs, ...attempt }) => ({ ...attempt, started_ms: startedMs, ended_ms: endedMs })),
    headers: record.headers,
    superseded: superseded?.kind,
    superseded_by: superseded?.actId,
    replaced_by: superseded?.replacementEventId,
  }
  // Only what may be absent in the type can be undefined here.
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined)) as EventJson
}
