import { SCOPES, patchKeys, sortKeys } from '@ascribe/identity'
import type { PolicyKey, PolicySnapshot, Scope } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { mappingAtSql } from './attribution-sql.ts'
import { sqlInstant } from './instants.ts'
import { readDeploymentsForPolicy } from './deployments/read-deployments.ts'
import { readTermsList } from './terms/read-terms.ts'

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
  /**
   * Whose keys have changed, or to whom they belong: these auth ids; `all`, the default, where that is not known; `none` spares gateways and
   * publishers looking at keys at all.
   */
  readonly keys?: readonly string[] | 'all' | 'none'
  /** Instants to come at which what is planned begins or ends; past ones are fine. */
  readonly dueAt?: readonly Instant[]
}

/** Whose keys changed is noted for so many versions, and if they were no more than so many at once: reading all is quicker then. */
const NOTED_VERSIONS = 5000n
const NOTED_AT_ONCE_MAX = 1000

// The clock and not now(), which is when the transaction began: what was waited for may have begun since. It never goes back, so that
// a later version never knows less. A change of something else also makes what is due take effect, and so is one of the keys.
const BUMP = `
with passed as (delete from policy_due where at <= clock_timestamp() returning at),
  bumped as (
    update policy_version set
      version = version + 1,
      as_of = greatest(as_of, clock_timestamp(), (select max(at) from passed)),
      keys_version = case when $1::text <> 'none' or exists (select from passed) then version + 1 else keys_version end,
      keys_unlisted_version = case when $1::text = 'all' or exists (select from passed) then version + 1 else keys_unlisted_version end
    returning version
  ),
  noted as (
    insert into policy_key_change (version, auth_id) select distinct version, auth_id from bumped, unnest($2::text[]) as k (auth_id)
  ),
  forgotten as (delete from policy_key_change using bumped where policy_key_change.version <= bumped.version - ${NOTED_VERSIONS})
select pg_notify('${POLICY_CHANNEL}', version::text) from bumped`

/**
 * Makes a new version of the policy, at the end of a transaction that changes what gateways must know. What a version says may depend
 * only on committed rows and on its own instant, `policy_version.as_of`: then one version has one content, whoever reads it.
 * The row's lock makes the order of versions the order of commits.
 */
export async function bumpPolicy(tx: Queryable, change: PolicyChange = {}): Promise<void> {
  const { dueAt = [] } = change
  const keys = typeof change.keys === 'object' && change.keys.length > NOTED_AT_ONCE_MAX ? 'all' : (change.keys ?? 'all')
  // First of all: whoever holds a planned instant holds this row already, so that two never wait for each other.
  await tx.query('select from policy_version for update')
  if (dueAt.length > 0) {
    await tx.query('insert into policy_due (at) select distinct unnest($1::timestamptz[]) on conflict (at) do nothing', [
      dueAt.filter(Number.isFinite).map(sqlInstant),
    ])
  }
  await tx.query(BUMP, typeof keys === 'string' ? [keys, []] : ['listed', [...keys]])
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
    await bumpPolicy(tx, { keys: 'none' })
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

// Secrets that have not ended, of credentials that are not revoked and are somebody's who is there; of all auth ids, or of some.
const KEYS = `
with gone as materialized (
  select organization_id from (
    select distinct on (organization_id) organization_id, ended from organization_version
    where valid_from <= $1::timestamptz and organization_id in (select organization_id from organization_version where ended)
    order by organization_id, valid_from desc, revision desc
  ) v where ended
)
select c.auth_id, s.public_id, s.hmac, m.organization_id, m.user_id, m.group_id, c.scopes, e.ends_at
from credential c
join credential_secret s on s.auth_id = c.auth_id
left join (select public_id, min(ends_at) as ends_at from credential_secret_end group by public_id) e on e.public_id = s.public_id
cross join lateral (${mappingAtSql('c.auth_id', '$1::timestamptz')}
) m
where c.revoked_at is null and (e.ends_at is null or e.ends_at > $1::timestamptz)
  and m.organization_id is not null and m.organization_id not in (select organization_id from gone)
  and ($2::text[] is null or c.auth_id = any($2::text[]))`

/**
 * All that gateways need to know: every key that lets somebody in, with whose it is as of the version's instant. Of `known`, an
 * earlier snapshot, the keys are taken over that have not changed since.
 */
export async function readPolicySnapshot(db: Database, options: { readonly known?: PolicySnapshot } = {}): Promise<PolicySnapshot> {
  // One snapshot for all of it: a key must never come with a version that is older than it.
  return db.transaction(
    async (tx) => {
      const { ledger, version, keysVersion } = await readPolicyVersion(tx)
      const known = options.known?.ledger === ledger ? options.known : undefined
      const terms = await readTermsList(tx, await readAsOf(tx))
      const deployments = await readDeploymentsForPolicy(tx, ledger, known?.deployments)
      const head = {
        ledger,
        version,
        keysVersion,
        ...(terms !== undefined && { terms }),
        ...(deployments !== undefined && { deployments }),
      }
      if (known?.keysVersion === keysVersion)
        return { ...head, ...(known.recent !== undefined && { recent: known.recent }), keys: known.keys }
      const changed = await changedSince(tx, known?.keysVersion)
      const keys =
        known === undefined || changed === undefined
          ? await readKeys(tx)
          : patchKeys(known.keys, { authIds: changed, keys: await readKeys(tx, changed) })
      const recent = await recentChanges(tx, keys)
      return { ...head, ...(recent !== undefined && { recent }), keys }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** Whose keys changed after a version; `undefined`: that cannot be told. */
async function changedSince(tx: Queryable, since: number | undefined): Promise<readonly string[] | undefined> {
  if (since === undefined) return undefined
  const { rows } = await tx.query<{ is_noted: boolean; auth_ids: readonly string[] }>(
    `select $1::bigint >= greatest(keys_unlisted_version, version - ${NOTED_VERSIONS}) as is_noted,
       array(select distinct auth_id from policy_key_change where version > $1::bigint limit ${NOTED_AT_ONCE_MAX + 1}) as auth_ids
     from policy_version`,
    [since],
  )
  const [row] = rows
  return row !== undefined && row.is_noted && row.auth_ids.length <= NOTED_AT_ONCE_MAX ? row.auth_ids : undefined
}

/** So many of the latest changes stand at the head of a snapshot. */
const RECENT_MAX = 500

/** The latest changes, for gateways that have the keys of a little while ago; only where reading all of them would cost something. */
async function recentChanges(tx: Queryable, keys: readonly PolicyKey[]): Promise<PolicySnapshot['recent']> {
  if (keys.length <= RECENT_MAX) return undefined
  const { rows } = await tx.query<{ version: bigint; auth_id: string; floor: bigint }>(
    `select c.version, c.auth_id, greatest(p.keys_unlisted_version, p.version - ${NOTED_VERSIONS}) as floor
     from policy_version p join policy_key_change c on c.version > greatest(p.keys_unlisted_version, p.version - ${NOTED_VERSIONS})
     order by c.version desc limit ${RECENT_MAX}`,
  )
  const last = rows.at(-1)
  if (last === undefined) return undefined
  // Of the oldest version some changes may be cut off: it counts as unknown, unless there were no more.
  const since = rows.length === RECENT_MAX ? last.version : last.floor
  const authIds = new Set(rows.filter(({ version }) => version > since).map((row) => row.auth_id))
  return { since: Number(since), authIds: [...authIds].toSorted(), keys: keys.filter(({ authId }) => authIds.has(authId)) }
}

/** The instant of the version that a transaction sees, in the text form of the database, exact to the microsecond. */
async function readAsOf(tx: Queryable): Promise<string> {
  const { rows } = await tx.query<{ as_of: string }>('select as_of::text as as_of from policy_version')
  const [row] = rows
  if (row === undefined) throw new Error('policy_version has no row')
  return row.as_of
}

async function readKeys(tx: Queryable, authIds?: readonly string[]): Promise<readonly PolicyKey[]> {
  const { rows } = await tx.query<KeyRow>(KEYS, [await readAsOf(tx), authIds === undefined ? null : [...authIds]])
  return sortKeys(rows.map(policyKey))
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
