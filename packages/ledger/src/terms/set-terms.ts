import { ABORT_POLICIES, TERMS_SCOPES } from '@ascribe/identity'
import type { AbortPolicy, TermsScope } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import { mappingAtSql } from '../attribution-sql.ts'
import { directoryNow, endTimeline, writeTimeline } from '../directory/timeline.ts'
import { LedgerInputError } from '../errors.ts'
import { lockDirectory } from '../locks.ts'
import { bumpPolicy } from '../policy.ts'

/** So many subjects may have terms: every gateway reads all of them with each version. Who has more customers says it of organizations. */
export const TERMS_MAX = 5000

/** What is undefined stays as it is; null: as wider terms have it. */
export type TermsChange = {
  readonly abort?: AbortPolicy | null
  readonly drainMs?: number | null
  readonly drainBytes?: number | null
  readonly drainTokens?: number | null
  readonly maxConcurrent?: number | null
  readonly bodySample?: number | null
}

export type TermsOf = { readonly scope: TermsScope; readonly subject: string }

export type SetTermsOutcome = 'set' | 'changed' | 'unchanged' | 'unknown_subject' | 'too_many'

/** Writes a line of the trail in the change's transaction. `organizationId`: whose log it belongs to; undefined: the installation's. */
export type AuditTerms<Outcome> = (tx: Queryable, outcome: Outcome, organizationId: string | undefined) => Promise<unknown>

export type NewTerms = TermsOf & {
  /** At least one member. */
  readonly change: TermsChange
  readonly recordedBy?: string
  /** Take a subject that the directory does not know (yet). Default false. */
  readonly allowUnknown?: boolean
  readonly audit?: AuditTerms<SetTermsOutcome>
}

const COUNTS = {
  drainMs: ['drain_ms', 0, 3_600_000],
  drainBytes: ['drain_bytes', 0, 1024 ** 3],
  drainTokens: ['drain_tokens', 0, 1_000_000_000],
  maxConcurrent: ['max_concurrent', 1, 100_000],
  bodySample: ['body_sample', 0, 1_000_000],
} as const

/** Says on what terms somebody is served from now on; gateways follow within a second. @throws {LedgerInputError} */
export async function setTerms(db: Database, terms: NewTerms): Promise<SetTermsOutcome> {
  check(terms)
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const outcome = await write(tx, terms)
    await terms.audit?.(tx, outcome, await organizationOf(tx, terms))
    return outcome
  })
}

async function write(tx: Queryable, terms: NewTerms): Promise<SetTermsOutcome> {
  const { scope, subject, change, recordedBy, allowUnknown = false } = terms
  if (!allowUnknown && !(await isKnown(tx, terms))) return 'unknown_subject'
  if (await isFull(tx, terms)) return 'too_many'
  const counts = Object.entries(COUNTS).map(([name, [column]]) => {
    const value = change[name as keyof typeof COUNTS]
    return [column, typeof value === 'number' ? String(value) : value] as const
  })
  const row = { scope, subject, abort: change.abort, ...Object.fromEntries(counts) }
  const [changed] = await writeTimeline(tx, 'terms', { rows: [row], at: await directoryNow(tx), recordedBy })
  if (changed === undefined) return 'unchanged'
  await bumpPolicy(tx, { keys: 'none' })
  return changed.change === 'create' ? 'set' : 'changed'
}

/** Says that somebody has no terms of his own any more, from now on. */
export async function endTerms(
  db: Database,
  ended: TermsOf & { readonly recordedBy?: string; readonly audit?: AuditTerms<'ended' | 'unknown_terms'> },
): Promise<'ended' | 'unknown_terms'> {
  const { scope, subject, recordedBy, audit } = ended
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const changes = await endTimeline(tx, 'terms', { rows: [{ scope, subject }], at: await directoryNow(tx), recordedBy })
    const outcome = changes.length === 0 ? 'unknown_terms' : 'ended'
    if (outcome === 'ended') await bumpPolicy(tx, { keys: 'none' })
    await audit?.(tx, outcome, await organizationOf(tx, ended))
    return outcome
  })
}

/** Whether there are as many as there may be, and these would be one more. */
async function isFull(tx: Queryable, { scope, subject }: TermsOf): Promise<boolean> {
  const { rows } = await tx.query<{ others: bigint }>(
    `select count(*) as others from (
       select distinct on (subject, scope) * from credential_terms order by subject, scope, valid_from desc, revision desc
     ) t where not ended and (scope, subject) <> ($1::text, $2::text)`,
    [scope, subject],
  )
  return Number(rows[0]?.others ?? 0n) >= TERMS_MAX
}

async function isKnown(tx: Queryable, { scope, subject }: TermsOf): Promise<boolean> {
  switch (scope) {
    case 'credential':
      return (await tx.query('select from auth_mapping where auth_id = $1::text limit 1', [subject])).rowCount > 0
    case 'group':
      return (await tx.query('select from group_version where group_id = $1::text limit 1', [subject])).rowCount > 0
    case 'organization':
      return isUuid(subject) && (await tx.query('select from organization where organization_id = $1::uuid', [subject])).rowCount > 0
  }
}

const ORGANIZATION_OF: Readonly<Record<TermsScope, string>> = {
  credential: mappingAtSql('$1::text', 'clock_timestamp()'),
  group: `select organization_id from group_version where group_id = $1::text and valid_from <= clock_timestamp()
    order by valid_from desc, revision desc limit 1`,
  organization: 'select organization_id from organization where organization_id::text = $1::text',
}

async function organizationOf(tx: Queryable, { scope, subject }: TermsOf): Promise<string | undefined> {
  const { rows } = await tx.query<{ organization_id: string | null }>(ORGANIZATION_OF[scope], [subject])
  return rows[0]?.organization_id ?? undefined
}

/** @throws {LedgerInputError} */
function check({ scope, subject, change }: NewTerms): void {
  const cannot = 'Cannot set the terms:'
  if (!TERMS_SCOPES.includes(scope)) throw new LedgerInputError(`${cannot} their scope is none of ${TERMS_SCOPES.join(', ')}`)
  if (subject === '' || subject.includes('\0') || Buffer.byteLength(subject) > 1024)
    throw new LedgerInputError(`${cannot} their subject is empty, holds NUL or has more than 1024 bytes`)
  const { abort } = change
  if (abort !== undefined && abort !== null && !ABORT_POLICIES.includes(abort))
    throw new LedgerInputError(`${cannot} the abort policy is none of ${ABORT_POLICIES.join(', ')}`)
  for (const [name, [, least, most]] of Object.entries(COUNTS)) {
    const value = change[name as keyof typeof COUNTS]
    if (value === undefined || value === null) continue
    if (!Number.isSafeInteger(value) || value < least || value > most)
      throw new LedgerInputError(`${cannot} ${name} is ${value}, not a whole number from ${least} to ${most}`)
  }
  if (Object.values(change).every((value) => value === undefined)) throw new LedgerInputError(`${cannot} nothing is said`)
}
