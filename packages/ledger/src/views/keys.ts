import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant, Nano } from '@ascribe/units'
import { mappingAtSql } from '../attribution-sql.ts'
import type { CredentialState } from '../credentials.ts'
import { monthOfInstant } from '../periods.ts'
import { unseen } from './unseen.ts'

/** An API key, as its organization sees it: never a secret, nor what one is stored as. */
export type ViewedKey = {
  readonly authId: string
  /** The part of the newest key by which it is found: it begins the key that people hold. */
  readonly publicId: string
  readonly name?: string
  readonly scopes: readonly string[]
  readonly userId?: string
  readonly groupId?: string
  readonly createdAt: Instant
  readonly revokedAt?: Instant
  /** When its last secret ends; absent: one has no end. */
  readonly expiresAt?: Instant
  readonly state: CredentialState
  /** Admission of its newest request that is rated; absent: none is. */
  readonly lastUsedAt?: Instant
  /** Hourly charges of the month of now. */
  readonly spentThisMonth: Nano
}

export type KeyPage = { readonly keys: readonly ViewedKey[]; readonly next: readonly string[] | undefined }

type Row = {
  readonly auth_id: string
  readonly public_id: string
  readonly name: string | null
  readonly scopes: readonly string[]
  readonly user_id: string | null
  readonly group_id: string | null
  readonly created_at: number
  readonly revoked_at: number | null
  readonly expires_at: number | null
  readonly now: number
  readonly last_instant: number | null
  readonly spent: string
  readonly cursor: string
}

// From the organization to its keys, not the other way round. Indexes auth_mapping_organization, usage_hour_auth, cost_day_organization,
// charge_organization. Days that are not summed yet, as today, are read by the hour.
const KEYS = `
select c.auth_id, s.public_id, c.name, c.scopes, m.user_id, m.group_id, c.created_at, c.revoked_at, s.expires_at, u.last_instant,
  clock_timestamp() as now, coalesce(p.spent, 0)::text as spent, (extract(epoch from c.created_at) * 1000000)::bigint::text as cursor
from (select distinct auth_id from auth_mapping where organization_id = ${unseen(1, 'uuid')}) a
join credential c on c.auth_id = a.auth_id
cross join lateral (${mappingAtSql('c.auth_id', 'clock_timestamp()')}
) m
cross join lateral (
  select (array_agg(s.public_id order by s.created_at desc, s.public_id))[1] as public_id,
    case when bool_and(e.ends_at is not null) then max(e.ends_at) end as expires_at
  from credential_secret s
  left join lateral (select min(ends_at) as ends_at from credential_secret_end e where e.public_id = s.public_id) e on true
  where s.auth_id = c.auth_id
) s
left join lateral (
  select last_instant from usage_hour u
  where hashtextextended(u.auth_id, 0) = hashtextextended(c.auth_id, 0) and u.auth_id = c.auth_id and u.organization_id = ${unseen(1, 'uuid')}
  order by u.hour desc, u.last_instant desc limit 1
) u on true
left join (
  select auth_id, sum(amount_nano) as spent from (
    select auth_id, amount_nano from cost_day
    where organization_id = ${unseen(1, 'uuid')} and day >= ${unseen(2, 'date')} and day < (${unseen(2, 'date')} + interval '1 month')::date
    union all
    select h.auth_id, h.amount_nano from generate_series(${unseen(2, 'date')}::timestamp, ${unseen(2, 'date')}::timestamp + interval '1 month' - interval '1 day', interval '1 day') d (day)
    cross join lateral (
      select auth_id, amount_nano from charge
      where organization_id = ${unseen(1, 'uuid')} and hour >= d.day at time zone 'UTC' and hour < (d.day + interval '1 day') at time zone 'UTC'
    ) h
    where not exists (select from cost_day_built b where b.day = d.day::date)
  ) t group by auth_id
) p on p.auth_id = c.auth_id
where m.organization_id = ${unseen(1, 'uuid')}
  and (${unseen(3, 'bigint')} is null or ((extract(epoch from c.created_at) * 1000000)::bigint, c.auth_id collate "C") > (${unseen(3, 'bigint')}, ${unseen(4, 'text')}))
order by c.created_at, c.auth_id collate "C" limit ${unseen(5, 'integer')}`

const MICROSECONDS = /^-?\d{1,18}$/

/** The keys that are an organization's now, ended ones too, oldest first. */
export async function readKeys(
  db: Queryable,
  query: { readonly organizationId: string; readonly now: Instant; readonly limit: number; readonly after?: readonly string[] },
): Promise<KeyPage> {
  const { organizationId, now, limit, after } = query
  if (!isUuid(organizationId)) return { keys: [], next: undefined }
  const [createdAt = '', authId = ''] = after ?? []
  const { rows } = await db.query<Row>(KEYS, [
    organizationId,
    `${monthOfInstant(now)}-01`,
    MICROSECONDS.test(createdAt) ? createdAt : null,
    authId,
    limit + 1,
  ])
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { keys: page.map(keyOf), next: rows.length > limit && last !== undefined ? [last.cursor, last.auth_id] : undefined }
}

function keyOf(row: Row): ViewedKey {
  return {
    authId: row.auth_id,
    publicId: row.public_id,
    ...(row.name !== null && { name: row.name }),
    scopes: row.scopes,
    ...(row.user_id !== null && { userId: row.user_id }),
    ...(row.group_id !== null && { groupId: row.group_id }),
    createdAt: row.created_at,
    ...(row.revoked_at !== null && { revokedAt: row.revoked_at }),
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
    state: row.revoked_at !== null ? 'revoked' : row.expires_at !== null && row.expires_at <= row.now ? 'expired' : 'active',
    ...(row.last_instant !== null && { lastUsedAt: row.last_instant }),
    spentThisMonth: BigInt(row.spent),
  }
}
