import type { EventReport } from '@ascribe/contract'
import { ingestCloudEvents } from '@ascribe/ledger'
import type { CloudEventFault, CloudEventOutcome, EventRule } from '@ascribe/ledger'
import { Refusal } from './errors.ts'
import { readEventBody } from './event-body.ts'
import { PlainReply } from './handler.ts'
import type { RequestContext } from './handler.ts'

export type IngestLimits = { /** Events in one request. */ readonly batchMax: number; readonly rules: readonly EventRule[] }

/** Faults that a reply lists; the message has their number. */
const FAULTS_MAX = 100

/**
 * Takes events in, and answers after the commit. One event: 204, or 409 when another content of its name was there first. A batch: 204
 * when there is nothing to tell, else 200 with a report; `Prefer: return=representation` (RFC 7240) asks for the report in any case.
 * @throws {Refusal} nothing was stored
 */
export async function ingest(
  { caller, db, headers, clock }: RequestContext,
  { body: bytes, limits }: { readonly body: Uint8Array; readonly limits: IngestLimits },
): Promise<EventReport | PlainReply> {
  if (caller.kind !== 'sender') throw new Error('usage is reported by nobody')
  const { batchMax, rules } = limits
  const body = readEventBody(headers, bytes)
  const values = body.kind === 'single' ? [body.value] : body.values
  if (values.length > batchMax)
    throw new Refusal('body_too_large', `A batch has ${batchMax} events at most; this one has ${values.length}.`)
  const result = await ingestCloudEvents(db, { sender: caller.sender, values, rules, now: clock() })
  if (result.kind === 'refused') throw refusalOf(result.faults, body.kind)
  const conflict = result.outcomes.find(({ kind }) => kind === 'conflicting')
  if (body.kind === 'single' && conflict !== undefined) {
    throw new Refusal(
      'conflicting_event',
      `An event with source ${JSON.stringify(conflict.source)} and id ${JSON.stringify(conflict.id)} and other content was stored first. That one stands; this one is set aside.`,
    )
  }
  if (conflict === undefined && !wantsReport(headers['prefer'])) return new PlainReply({ status: 204 })
  return reportOf(result.outcomes)
}

function refusalOf(faults: readonly CloudEventFault[], kind: 'single' | 'batch'): Refusal {
  const [first] = faults
  if (kind === 'single') return new Refusal('invalid_request', `Cannot take the event: ${first?.reason ?? ''}`)
  const more = faults.length > 1 ? `, and ${faults.length - 1} more` : ''
  return new Refusal(
    'invalid_request',
    `Cannot take the batch, nothing of it was stored: event ${first?.index ?? 0} ${first?.reason ?? ''}${more}`,
    {
      events: faults.slice(0, FAULTS_MAX),
    },
  )
}

function wantsReport(prefer: string | string[] | undefined): boolean {
  return [prefer ?? []].flat().some((field) => /(?:^|,)\s*return=representation\s*(?:[,;]|$)/i.test(field))
}

function reportOf(outcomes: readonly CloudEventOutcome[]): EventReport {
  const count = (kind: CloudEventOutcome['kind']): number => outcomes.filter((outcome) => outcome.kind === kind).length
  return {
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    conflicting: count('conflicting'),
    events: outcomes.map(({ source, id, kind, eventId }) => ({ source, id, status: kind, event_id: eventId })),
  }
}
