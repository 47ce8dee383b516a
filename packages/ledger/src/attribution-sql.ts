/**
 * SQL that says whether the organization that an edge claims is the one of the directory: no claim, or the same UUID however it
 * is written. `claimed` and `organization` are column expressions.
 */
export function claimAgreesSql(claimed: string, organization: string): string {
  return `(${claimed} is null or lower(replace(${claimed}, '-', '')) = replace(${organization}::text, '-', ''))`
}

/**
 * SQL of the mapping in force for an auth id at an instant, both column expressions: `organization_id` (null: nobody's), `user_id`,
 * `group_id`, `valid_from`, `revision`; one row at most. Uses the primary key of auth_mapping.
 */
export function mappingAtSql(authId: string, instant: string): string {
  return `
  select organization_id, user_id, group_id, valid_from, revision from auth_mapping
  where auth_id = ${authId} and valid_from <= ${instant}
  order by valid_from desc, revision desc limit 1`
}

/** SQL that joins, as `m`, the mapping in force for the rows of `r` at each one's own instant. */
export const MAPPING_AT_INSTANT: string = `
left join lateral (${mappingAtSql('r.auth_id', 'r.instant')}
) m on true`
