import type { Instant } from '@ascribe/units'
import type { JsonValue } from '../money/canonical-json.ts'
import type { AuditEntry } from './entry.ts'

/** What became of a streamed reply. */
export type StreamOutcome = {
  readonly at: Instant
  readonly outcome: 'completed' | 'aborted'
  readonly rows: number
  readonly bytes: number
  /** Of the bytes that left, lower-case hex. */
  readonly sha256: string
}

/** The line, and one in the chain of each other organization whose data is in the reply, so that each reads it in its own log. */
export function alsoAbout(entry: AuditEntry, organizationIds: Iterable<string>): readonly AuditEntry[] {
  const others = new Set(organizationIds)
  others.delete(entry.chain)
  return [entry, ...[...others].map((chain) => ({ ...entry, chain, aboutOrganizationId: entry.chain }))]
}

/** The second lines of a stream, one for each of the first, under the same request id. */
export function streamEnd(begun: readonly AuditEntry[], { at, ...detail }: StreamOutcome): readonly AuditEntry[] {
  return begun.map((entry) => ({ ...secondLine(entry), kind: 'stream_end', at, detail }))
}

/** The second line of a change: what was answered. The first one is written before anything is changed. */
export function writeEnd(
  begun: readonly AuditEntry[],
  { at, status, detail }: { readonly at: Instant; readonly status: number; readonly detail?: { readonly [name: string]: JsonValue } },
): readonly AuditEntry[] {
  return begun.map((entry) => ({ ...secondLine(entry), kind: 'write_end', at, status, ...(detail !== undefined && { detail }) }))
}

/** What joins it to the first: not once more what was asked, with which words and from where. */
function secondLine({ chain, actor, act, requestId, status, aboutOrganizationId, method }: AuditEntry): Omit<AuditEntry, 'kind' | 'at'> {
  const { name: _name, email: _email, ip: _ip, ...who } = actor
  return {
    chain,
    actor: who,
    ...(act !== undefined && { act: { sessionId: act.sessionId } }),
    ...(requestId !== undefined && { requestId }),
    ...(status !== undefined && { status }),
    ...(method !== undefined && { method }),
    ...(aboutOrganizationId !== undefined && { aboutOrganizationId }),
  }
}
