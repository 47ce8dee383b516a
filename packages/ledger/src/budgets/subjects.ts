import { EACH } from '@ascribe/admission'
import type { AdmissionSnapshot, Budget, RateLimit } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import { mappingAtSql } from '../attribution-sql.ts'

type Subjects = AdmissionSnapshot['subjects']

type SubjectRow = {
  readonly auth_id: string
  readonly organization_id: string | null
  readonly user_id: string | null
  readonly group_id: string | null
}

/** Ids that rules name; {@link EACH} among them: every one. */
type Wanted = {
  readonly organizations: readonly string[]
  readonly users: readonly string[]
  readonly groups: readonly string[]
}

// Keys that are in force carry their own organization, wherever a gateway meets their auth id: only auth ids without one are looked up.
const SUBJECTS = `
select a.auth_id, m.organization_id, m.user_id, m.group_id
from (select distinct auth_id from auth_mapping) a
cross join lateral (${mappingAtSql('a.auth_id', 'coalesce($7::timestamptz, clock_timestamp())')}
) m
where not exists (
  select from credential c join credential_secret s on s.auth_id = c.auth_id
  where c.auth_id = a.auth_id and c.revoked_at is null
    and not exists (select from credential_secret_end e where e.public_id = s.public_id and e.ends_at <= coalesce($7::timestamptz, clock_timestamp()))
) and (
  m.organization_id::text = any($1::text[]) or m.user_id = any($2::text[]) or m.group_id = any($3::text[])
  or ($4::boolean and m.organization_id is not null) or ($5::boolean and m.user_id is not null) or ($6::boolean and m.group_id is not null)
)
order by a.auth_id collate "C"`

/** Whose the auth ids without a living key are that rules for these subjects concern, at an instant; default: now. */
export async function readKeylessSubjects(db: Queryable, wanted: Wanted, at: string | null = null): Promise<Subjects> {
  const ids = [wanted.organizations, wanted.users, wanted.groups]
  const { rows } = await db.query<SubjectRow>(SUBJECTS, [...ids, ...ids.map((each) => each.includes(EACH)), at])
  return Object.fromEntries(
    rows.map((row) => [
      row.auth_id,
      {
        ...(row.organization_id !== null && { organizationId: row.organization_id }),
        ...(row.user_id !== null && { userId: row.user_id }),
        ...(row.group_id !== null && { groupId: row.group_id }),
      },
    ]),
  )
}

/** Reads whose the auth ids are that rules concern; again only when the directory or the rules have changed. */
export function createSubjectReader(): (
  db: Queryable,
  rules: { budgets: readonly Budget[]; limits: readonly RateLimit[] },
) => Promise<Subjects> {
  let known: { readonly key: string; readonly subjects: Subjects } | undefined
  return async (db, { budgets, limits }) => {
    const idsOf = (scope: string): readonly string[] => [
      ...new Set([...budgets, ...limits].filter((rule) => rule.scope === scope).map(({ subject }) => subject)),
    ]
    const wanted = { organizations: idsOf('organization'), users: idsOf('user'), groups: idsOf('group') }
    if (Object.values(wanted).every((each) => each.length === 0)) return {}
    const { rows: versions } = await db.query<{ version: bigint }>('select version from policy_version')
    const key = JSON.stringify([String(versions[0]?.version ?? 0n), wanted])
    if (known?.key === key) return known.subjects
    const subjects = await readKeylessSubjects(db, wanted)
    known = { key, subjects }
    return subjects
  }
}
