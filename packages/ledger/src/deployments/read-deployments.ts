import type { DeploymentEntry, DeploymentList } from '@ascribe/identity'
import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'

export type DeploymentState = 'active' | 'retired'

/** One deployment as it is now. */
export type Deployment = {
  readonly resourceId: string
  readonly state: DeploymentState
  readonly models: readonly string[]
  /** Settings of a route, under the names of the configuration. */
  readonly settings: DeploymentEntry
  /** 1 for the first word on it, and one more for each change. */
  readonly revision: number
  readonly recordedAt: Instant
  readonly recordedBy?: string
}

type Row = {
  readonly resource_id: string
  readonly state: DeploymentState
  readonly models: readonly string[]
  readonly settings: DeploymentEntry
  readonly revision: number
  readonly recorded_at: number
  readonly recorded_by: string | null
}

/** Every deployment, retired ones too, by resource. */
export async function listDeployments(db: Queryable): Promise<readonly Deployment[]> {
  const { rows } = await db.query<Row>(
    `select * from (
       select distinct on (resource_id) resource_id, state, models, settings, revision, recorded_at, recorded_by
       from deployment_version order by resource_id, revision desc
     ) d order by resource_id collate "C"`,
  )
  return rows.map((row) => ({
    resourceId: row.resource_id,
    state: row.state,
    models: row.models,
    settings: row.settings,
    revision: row.revision,
    recordedAt: row.recorded_at,
    ...(row.recorded_by !== null && { recordedBy: row.recorded_by }),
  }))
}

/** What gateways must know of them; `undefined`: nobody has ever said anything. Those of `known` are taken over if nothing has changed since. */
export async function readDeploymentsForPolicy(
  db: Queryable,
  ledger: string,
  known: DeploymentList | undefined,
): Promise<DeploymentList | undefined> {
  const { rows } = await db.query<{ version: bigint | null }>('select max(id) as version from deployment_version')
  const version = rows[0]?.version ?? null
  if (version === null) return undefined
  if (known?.ledger === ledger && known.version === Number(version)) return known
  const entries = (await listDeployments(db)).map(({ resourceId, state, models, settings }) => ({
    ...settings,
    resource_id: resourceId,
    models,
    ...(state === 'retired' && { retired: true }),
  }))
  return { ledger, version: Number(version), entries }
}
