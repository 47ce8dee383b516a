import { SCOPES } from '@ascribe/identity'
import type { PolicyKey, PolicySnapshot, Scope } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { mappingAtSql } from './attribution-sql.ts'
import { sqlInstant } from './instants.ts'

/** The channel that is notified, with the version, when a new policy is committed. */
export const POLICY_CHANNEL = 'ascribe_policy'

/** Where the policy of a ledger stands; costs two rows, whatever the number of keys. */
export type PolicyVersion = {
  /** Tells this ledger from others. */
  readonly ledger: string
  readonly version: number
  /** The version in which the keys changed last. */
  readonly keysVersion: number
  /** Something planned has begun or ended since: {@link advancePolicy} makes the version that says so. */
  readonly isDue: boolean
}

export type PolicyChange = {
  /** Whether keys, or whose they are, have changed. Default true; false spares gateways and publishers reading all of them. */
  readonly keys?: boolean
  /** Instants to come at which what is planned begins or ends; past ones are fine. */
  readonly dueAt?: readonly Instant[]
}

// The clock and not now(), which is when the transaction began: what was waited for may have begun since. It never goes back, so that
// a later version never knows less. A change of something else also makes what is due take effect, and so is one of the keys.
const BUMP = `
with passed as (delete from policy_due where at <= clock_timestamp() returning at),
  bumped as (
    update policy_version set
      version = version + 1,
      as_of = greatest(as_of, clock_timestamp(), (select max(at) from passed)),
      keys_version = case when $1::boolean or exists (select from passed) then version + 1 else keys_version end
    returning version
  )
select pg_notify('${POLICY_CHANNEL}', version::text) from bumped`

/**
 * Makes a new version of the policy, at the end of a transaction that changes what gateways must know. What a version says may depend
 * only on committed rows and on its own instant, `policy_version.as_of`: then one version has one content, whoever reads it.
 * The row's lock makes the order of versions the order of commits.
 */
export async function bumpPolicy(tx: Queryable, change: PolicyChange = {}): Promise<void> {
  const { keys = true, dueAt = [] } = change
  // First of all: whoever holds a planned instant holds this row already, so that two never wait for each other.
  await tx.query('select from policy_version for update')
  if (dueAt.length > 0) {
    await tx.query('insert into policy_due (at) select distinct unnest($1::timestamptz[]) on conflict (at) do nothing', [
      dueAt.filter(Number.isFinite).map(sqlInstant),
    ])
  }
  await tx.query(BUMP, [keys])
}

/** Says which version is in force. */
export async function readPolicyVersion(db: Queryable): Promise<PolicyVersion> {
  const { rows } = await db.query<{ ledger_id: string; version: bigint; keys_version: bigint; is_due: boolean }>(
    `select ledger_id, version, keys_version, coalesce((select min(at) from policy_due) <= clock_timestamp(), false) as is_due
     from policy_version`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('policy_version has no row')
  return { ledger: row.ledger_id, version: Number(row.version), keysVersion: Number(row.keys_version), isDue: row.is_due }
}

/** Makes a new version if something planned is due; of several that come at once one does. Gives whether it did. */
export async function advancePolicy(db: Database): Promise<boolean> {
  return db.transaction(async (tx) => {
    // Who waits here for another one who does the same finds nothing due any more.
    await tx.query('select from policy_version for update')
    if (!(await readPolicyVersion(tx)).isDue) return false
    await bumpPolicy(tx, { keys: false })
    return true
  })
}

type KeyRow = {
  readonly auth_id: string
  readonly public_id: string
  readonly hmac: string
  readonly organization_id: string
  readonly user_id: string | null
  readonly group_id: string | null
  readonly scopes: readonly string[]
  readonly ends_at: number | null
}

// Secrets that have not ended, of credentials that are not revoked and somebody's. 100,000 keys: 0.5 s, once a version that changed keys.
const KEYS = `
select c.auth_id, s.public_id, s.hmac, m.organization_id, m.user_id, m.group_id, c.scopes, e.ends_at
from credential c
join credential_secret s on s.auth_id = c.auth_id
left join (select public_id, min(ends_at) as ends_at from credential_secret_end group by public_id) e on e.public_id = s.public_id
cross join lateral (${mappingAtSql('c.auth_id', '$1::timestamptz')}
) m
join organization o on o.organization_id = m.organization_id
where c.revoked_at is null and (e.ends_at is null or e.ends_at > $1::timestamptz)
  and not exists (
    select from (
      select ended from organization_version v
      where v.organization_id = m.organization_id and v.valid_from <= $1::timestamptz order by valid_from desc, revision desc limit 1
    ) v where v.ended
  )
order by c.auth_id collate "C", s.public_id collate "C"`

/**
 * All that gateways need to know: every key that lets somebody in, with whose it is as of the version's instant. The keys of `known`, an
 * earlier snapshot, are taken over when none has changed since.
 */
export async function readPolicySnapshot(db: Database, options: { readonly known?: PolicySnapshot } = {}): Promise<PolicySnapshot> {
  const { known } = options
  // One snapshot for all of it: a key must never come with a version that is older than it.
  return db.transaction(
    async (tx) => {
      const { ledger, version, keysVersion } = await readPolicyVersion(tx)
      const isKnown = known !== undefined && known.ledger === ledger && known.keysVersion === keysVersion
      return { ledger, version, keysVersion, keys: isKnown ? known.keys : await readKeys(tx) }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** The instant of the version that a transaction sees, in the text form of the database, exact to the microsecond. */
async function readAsOf(tx: Queryable): Promise<string> {
  const { rows } = await tx.query<{ as_of: string }>('select as_of::text as as_of from policy_version')
  const [row] = rows
  if (row === undefined) throw new Error('policy_version has no row')
  return row.as_of
}

async function readKeys(tx: Queryable): Promise<readonly PolicyKey[]> {
  const { rows } = await tx.query<KeyRow>(KEYS, [await readAsOf(tx)])
  return rows.map(policyKey)
}

function policyKey(row: KeyRow): PolicyKey {
  return {
    authId: row.auth_id,
    publicId: row.public_id,
    hmac: row.hmac,
    organizationId: row.organization_id,
    ...(row.user_id !== null && { userId: row.user_id }),
    ...(row.group_id !== null && { groupId: row.group_id }),
    scopes: knownScopes(row.scopes),
    ...(row.ends_at !== null && { expiresAt: row.ends_at }),
  }
}

/** Scopes that this program does not know grant nothing. */
export function knownScopes(scopes: readonly string[]): readonly Scope[] {
  return SCOPES.filter((scope) => scopes.includes(scope))
}
