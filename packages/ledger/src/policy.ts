import { SCOPES } from '@ascribe/identity'
import type { PolicyKey, PolicySnapshot, Scope } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'

/** The channel that is notified, with the version, when a new policy is committed. */
export const POLICY_CHANNEL = 'ascribe_policy'

type KeyRow = {
  readonly auth_id: string
  readonly public_id: string
  readonly hmac: string
  readonly organization_id: string
  readonly scopes: readonly string[]
}

/** Says that keys have changed. The row's lock makes the order of versions the order of commits. */
export async function bumpPolicy(tx: Queryable): Promise<void> {
  await tx.query(
    `with bumped as (update policy_version set version = version + 1 returning version)
     select pg_notify('${POLICY_CHANNEL}', version::text) from bumped`,
  )
}

/**
 * All that gateways need to know: every key that is not revoked, with the organization it belongs to now. The version
 * rises with every change. A mapping that begins in the future is in the snapshots that are read after it has begun.
 */
export async function readPolicySnapshot(db: Database): Promise<PolicySnapshot> {
  // One snapshot for both: a key must never come with a version that is older than it.
  return db.transaction(
    async (tx) => {
      const { rows } = await tx.query<{ ledger_id: string; version: bigint }>('select ledger_id, version from policy_version')
      const keys = await tx.query<KeyRow>(
        `select c.auth_id, c.public_id, c.hmac, m.organization_id, c.scopes
         from credential c
         cross join lateral (
           select organization_id from auth_mapping m
           where m.auth_id = c.auth_id and m.valid_from <= now()
           order by m.valid_from desc limit 1
         ) m
         where c.revoked_at is null
         order by c.auth_id collate "C"`,
      )
      return { ledger: rows[0]?.ledger_id ?? '', version: Number(rows[0]?.version ?? 0n), keys: keys.rows.map(policyKey) }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

function policyKey(row: KeyRow): PolicyKey {
  return {
    authId: row.auth_id,
    publicId: row.public_id,
    hmac: row.hmac,
    organizationId: row.organization_id,
    scopes: knownScopes(row.scopes),
  }
}

/** Scopes that this program does not know grant nothing. */
export function knownScopes(scopes: readonly string[]): readonly Scope[] {
  return SCOPES.filter((scope) => scopes.includes(scope))
}
