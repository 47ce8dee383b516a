/**
 * SQL that says whether the organization that an edge claims is the one of the directory: no claim, or the same UUID however it
 * is written. `claimed` and `organization` are column expressions.
 */
export function claimAgreesSql(claimed: string, organization: string): string {
  return `(${claimed} is null or lower(replace(${claimed}, '-', '')) = replace(${organization}::text, '-', ''))`
}

/** SQL that joins, as `m`, the mapping in force for the rows of `r` at each one's own instant. Uses the primary key of auth_mapping. */
export const MAPPING_AT_INSTANT = `
left join lateral (
  select organization_id, user_id from auth_mapping
  where auth_id = r.auth_id and valid_from <= r.instant
  order by valid_from desc limit 1
) m on true`
