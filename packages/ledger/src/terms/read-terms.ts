import type { AbortPolicy, AuthIdOwner, ScopedTerms, TermsList, TermsScope } from '@ascribe/identity'
import type { Queryable } from '@ascribe/postgres'
import { mappingAtSql } from '../attribution-sql.ts'
import { readKeylessSubjects } from '../budgets/subjects.ts'

type Row = {
  readonly scope: TermsScope
  readonly subject: string
  readonly abort: AbortPolicy | null
  readonly drain_ms: bigint | null
  readonly drain_bytes: bigint | null
  readonly drain_tokens: bigint | null
  readonly max_concurrent: bigint | null
  readonly body_sample: bigint | null
}

/**
 * The terms in force at an instant, in the text form of the database; default: now. Few: {@link TERMS_MAX} of them at most can be set.
 */
export async function readTerms(db: Queryable, at: string | null = null): Promise<readonly ScopedTerms[]> {
  const { rows } = await db.query<Row>(
    `select scope, subject, abort, drain_ms, drain_bytes, drain_tokens, max_concurrent, body_sample from (
       select distinct on (subject, scope) * from credential_terms
       where valid_from <= coalesce($1::timestamptz, clock_timestamp()) order by subject, scope, valid_from desc, revision desc
     ) t where not ended order by scope, subject collate "C"`,
    [at],
  )
  return rows.map(termsOf)
}

function termsOf(row: Row): ScopedTerms {
  return {
    scope: row.scope,
    subject: row.subject,
    ...(row.abort !== null && { abort: row.abort }),
    ...(row.drain_ms !== null && { drainMs: Number(row.drain_ms) }),
    ...(row.drain_bytes !== null && { drainBytes: Number(row.drain_bytes) }),
    ...(row.drain_tokens !== null && { drainTokens: Number(row.drain_tokens) }),
    ...(row.max_concurrent !== null && { maxConcurrent: Number(row.max_concurrent) }),
    ...(row.body_sample !== null && { bodySample: Number(row.body_sample) }),
  }
}

/** The terms in force that concern an auth id: its own first, then those of its group and of its organization, as far as there are any. */
export async function readTermsOf(db: Queryable, authId: string): Promise<readonly ScopedTerms[]> {
  const { rows } = await db.query<{ organization_id: string | null; group_id: string | null }>(
    mappingAtSql('$1::text', 'clock_timestamp()'),
    [authId],
  )
  return termsFor(await readTerms(db), { authId, organizationId: rows[0]?.organization_id, groupId: rows[0]?.group_id })
}

/** Of all terms those that concern a credential, the narrowest first. */
export function termsFor(
  all: readonly ScopedTerms[],
  of: { readonly authId: string; readonly groupId?: string | null | undefined; readonly organizationId?: string | null | undefined },
): readonly ScopedTerms[] {
  const subjects = [
    ['credential', of.authId],
    ['group', of.groupId],
    ['organization', of.organizationId],
  ] as const
  return subjects.flatMap(([scope, subject]) => all.filter((terms) => terms.scope === scope && terms.subject === subject))
}

/** What gateways must know of terms at an instant; `undefined`: there are none. Keys carry their own group and organization. */
export async function readTermsList(db: Queryable, at: string): Promise<TermsList | undefined> {
  const entries = await readTerms(db, at)
  if (entries.length === 0) return undefined
  const subjectsOf = (wanted: TermsScope): readonly string[] =>
    entries.filter(({ scope }) => scope === wanted).map(({ subject }) => subject)
  const [organizations, groups] = [subjectsOf('organization'), subjectsOf('group')]
  if (organizations.length + groups.length === 0) return { entries, owners: {} }
  const subjects = await readKeylessSubjects(db, { organizations, users: [], groups }, at)
  return { entries, owners: Object.fromEntries(Object.entries(subjects).map(([authId, owner]) => [authId, ownerOf(owner)])) }
}

function ownerOf({ organizationId, groupId }: AuthIdOwner): AuthIdOwner {
  return { ...(organizationId !== undefined && { organizationId }), ...(groupId !== undefined && { groupId }) }
}
