import type { LogFields } from '@ascribe/kit'
import type { Queryable } from '@ascribe/postgres'
import type { Caller, Route } from '../handler.ts'
import { INSTALLATION, actOf, actorOf } from '../trail.ts'
import type { AuditEntry, Trail } from '../trail.ts'
import type { Established } from './gate.ts'
import type { Incoming } from './incoming.ts'
import type { StreamOutcome } from './reply.ts'

type Detail = Readonly<Record<string, string | number | boolean>>

/** What one request leaves in the trail. */
export type Account = {
  /** Of every log line: who, for whom. */
  readonly fields: LogFields
  alsoAbout(organizationIds: readonly string[]): void
  note(detail: Detail): void
  /** Before a change: it has a line before it happens. */
  begin(): Promise<void>
  /** With the status about to be sent, before it is. */
  end(status: number): Promise<void>
  refused(status: number): Promise<void>
  streamed(outcome: StreamOutcome): Promise<void>
  /** The line of a change, in the transaction that makes it. */
  auditIn(tx: Queryable, status: number, detail?: Detail): Promise<void>
}

export type AccountDeps = { readonly trail: Trail; readonly clock: () => number }
export type AccountOf = { readonly incoming: Incoming; readonly route: Route; readonly established: Established }

/**
 * Who leaves lines where. An operator's every request: in the log of the organization, of each child whose data is in the reply, or of the
 * installation. Whatever changes something: one line before and one after it. A customer's own reading: none, for nobody acts for another; but a
 * parent's look at a child: one in the child's.
 */
export function createAccount({ trail, clock }: AccountDeps, { incoming, route, established }: AccountOf): Account {
  const { caller, organizationId } = established
  const { def, auditsItself } = route
  const about = new Set<string>()
  const detail: Record<string, string | number | boolean> = {}
  let done: readonly AuditEntry[] = []
  let isInside = false
  const chain = organizationId ?? INSTALLATION
  const isChange = def.method !== 'GET'
  const own = caller.kind === 'key' || caller.kind === 'user' ? caller.organizationId : undefined
  const isWatched = def.subject === 'organization' || def.subject === 'operator' || def.subject === 'platform'

  function entries(kind: AuditEntry['kind'], fields: Pick<AuditEntry, 'status' | 'detail'>): readonly AuditEntry[] {
    if (!isWatched) return []
    const entry: AuditEntry = {
      chain,
      kind,
      at: clock(),
      actor: actorOf(caller),
      ...actField(caller),
      method: incoming.method,
      path: incoming.path,
      ...(incoming.search !== '' && { query: incoming.search.slice(1) }),
      requestId: incoming.requestId,
      ...fields,
    }
    const others = [...about].filter((id) => id !== chain)
    const all = [
      entry,
      ...others.map((id) => ({ ...entry, chain: id, ...(organizationId !== undefined && { aboutOrganizationId: organizationId }) })),
    ]
    return isChange || own === undefined ? all : all.filter((line) => line.chain !== own)
  }

  async function append(lines: readonly AuditEntry[]): Promise<void> {
    if (lines.length > 0) await trail.append(lines)
  }

  const detailField = (): Pick<AuditEntry, 'detail'> => (Object.keys(detail).length === 0 ? {} : { detail: { ...detail } })
  const changeKind = caller.kind === 'platform' ? 'admin' : 'write'

  return {
    fields: fieldsOf(caller, organizationId),
    alsoAbout: (ids) => ids.forEach((id) => about.add(id)),
    note: (more) => void Object.assign(detail, more),
    begin: () => (isChange && auditsItself !== true ? append(entries(changeKind, { detail: { phase: 'begin' } })) : Promise.resolve()),
    async end(status) {
      if (isInside || (isChange && auditsItself === true)) return
      done = entries(isChange ? changeKind : 'read', { status, ...(isChange ? { detail: { phase: 'end', ...detail } } : detailField()) })
      await append(done)
    },
    refused: (status) => (isInside ? Promise.resolve() : append(entries('refusal', { status, ...detailField() }))),
    streamed: ({ outcome, rows, bytes, sha256 }) =>
      append(done.map((line) => ({ ...line, kind: 'stream_end', at: clock(), detail: { outcome, rows, bytes, sha256 } }))),
    async auditIn(tx, status, more = {}) {
      await trail.appendIn(tx, entries(caller.kind === 'operator' ? 'session' : changeKind, { status, detail: { ...detail, ...more } }))
      isInside = true
    },
  }
}

function actField(caller: Caller): Pick<AuditEntry, 'act'> {
  const act = actOf(caller)
  return act === undefined ? {} : { act }
}

function fieldsOf(caller: Caller, organizationId: string | undefined): LogFields {
  return {
    ...(caller.kind === 'operator' && { operator: caller.name }),
    ...(caller.kind === 'platform' && { credential: caller.credentialId }),
    ...(organizationId !== undefined && { organization: organizationId }),
  }
}
