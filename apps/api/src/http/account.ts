import type { LogFields } from '@ascribe/kit'
import { INSTALLATION_CHAIN, alsoAbout, streamEnd, writeEnd } from '@ascribe/ledger'
import type { AuditEntry, Trail } from '@ascribe/ledger'
import type { Queryable } from '@ascribe/postgres'
import type { Caller, ChangeLine, Detail, Route } from '../handler.ts'
import { actOf, actorOf } from '../trail.ts'
import type { Established } from './gate.ts'
import type { Incoming } from './incoming.ts'
import type { StreamOutcome } from './reply.ts'

export type AccountDeps = { readonly trail: Pick<Trail, 'append' | 'appendIn'>; readonly clock: () => number }
export type AccountOf = { readonly incoming: Incoming; readonly route: Route; readonly established: Established }

/**
 * What one request leaves in the trail. An operator's every request: in the log of the organization, of each child whose data is in the
 * reply, or of the installation. Whatever changes something: one line before, one after it. A customer's own reading leaves none, for
 * nobody acts for another; but a parent's look at a child leaves one in the child's.
 */
export class Account {
  /** Of every log line: who, for whom. */
  readonly fields: LogFields
  readonly #deps: AccountDeps
  readonly #of: AccountOf
  readonly #about = new Set<string>()
  readonly #detail: Record<string, string | number | boolean> = {}
  #begun: readonly AuditEntry[] = []
  #isDone = false

  constructor(deps: AccountDeps, of: AccountOf) {
    this.#deps = deps
    this.#of = of
    this.fields = fieldsOf(of.established)
  }

  alsoAbout(organizationIds: readonly string[]): void {
    for (const id of organizationIds) this.#about.add(id)
  }

  note(detail: Detail): void {
    Object.assign(this.#detail, detail)
  }

  /** Before a change: it has a line before it happens. */
  async begin(): Promise<void> {
    if (!this.#isChange || this.#of.route.auditsItself === true) return
    this.#begun = this.#lines({ kind: this.#changeKind })
    await this.#append(this.#begun)
  }

  /** With the status about to be sent, before it is. */
  async end(status: number): Promise<void> {
    if (this.#isDone) return
    this.#isDone = true
    if (!this.#isChange) {
      this.#begun = this.#lines({ kind: 'read', status, ...this.#detailField })
      return this.#append(this.#begun)
    }
    if (this.#of.route.auditsItself === true) return
    const known = new Set(this.#begun.map(({ chain }) => chain))
    // Of what there was not before, such as an organization that was made.
    const added = this.#lines({ kind: this.#changeKind }).filter(({ chain }) => !known.has(chain))
    await this.#append(writeEnd([...this.#begun, ...added], { at: this.#deps.clock(), status, ...this.#detailField }))
  }

  async refused(status: number): Promise<void> {
    if (this.#isDone) return
    if (this.#begun.length > 0) await this.#append(writeEnd(this.#begun, { at: this.#deps.clock(), status, ...this.#detailField }))
    else await this.#append(this.#lines({ kind: 'refusal', status, ...this.#detailField }))
  }

  async streamed(outcome: StreamOutcome): Promise<void> {
    await this.#append(streamEnd(this.#begun, { at: this.#deps.clock(), ...outcome }))
  }

  async auditIn(tx: Queryable, { kind, status, organizationId, act, detail }: ChangeLine): Promise<void> {
    const more = { ...this.#detail, ...detail }
    const entry = this.#entry({
      kind,
      status,
      ...(organizationId !== undefined && { chain: organizationId }),
      ...(act !== undefined && { act }),
      ...(Object.keys(more).length > 0 && { detail: more }),
    })
    await this.#deps.trail.appendIn(tx, [entry])
    this.#isDone = true
  }

  get #isChange(): boolean {
    return this.#of.route.def.method !== 'GET'
  }

  get #changeKind(): AuditEntry['kind'] {
    return this.#of.established.caller.kind === 'platform' ? 'admin' : 'write'
  }

  get #detailField(): { readonly detail?: Detail } {
    return Object.keys(this.#detail).length === 0 ? {} : { detail: { ...this.#detail } }
  }

  #lines(fields: Partial<AuditEntry> & Pick<AuditEntry, 'kind'>): readonly AuditEntry[] {
    const { def, leavesNoLine } = this.#of.route
    if (def.subject === 'none' || def.subject === 'sender' || leavesNoLine === true) return []
    const lines = alsoAbout(this.#entry(fields), this.#about)
    const { caller } = this.#of.established
    if (this.#isChange || (caller.kind !== 'key' && caller.kind !== 'user')) return lines
    return lines.filter(({ chain }) => chain !== caller.organizationId)
  }

  #entry(fields: Partial<AuditEntry> & Pick<AuditEntry, 'kind'>): AuditEntry {
    const { incoming, established } = this.#of
    const act = actOf(established.caller)
    return {
      chain: established.organizationId ?? INSTALLATION_CHAIN,
      at: this.#deps.clock(),
      actor: actorOf(established.caller),
      ...(act !== undefined && { act }),
      method: incoming.method,
      path: incoming.path,
      ...(incoming.search !== '' && { query: incoming.search.slice(1) }),
      requestId: incoming.requestId,
      ...fields,
    }
  }

  async #append(lines: readonly AuditEntry[]): Promise<void> {
    if (lines.length > 0) await this.#deps.trail.append(lines)
  }
}

function fieldsOf({ caller, organizationId }: { readonly caller: Caller; readonly organizationId: string | undefined }): LogFields {
  return {
    ...(caller.kind === 'operator' && { operator: caller.name }),
    ...(caller.kind === 'platform' && { credential: caller.credentialId }),
    ...(organizationId !== undefined && { organization: organizationId }),
  }
}
