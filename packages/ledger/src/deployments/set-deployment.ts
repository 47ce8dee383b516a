import { isDeepStrictEqual } from 'node:util'
import type { DeploymentEntry } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import { LedgerInputError } from '../errors.ts'
import { lockDirectory } from '../locks.ts'
import { bumpPolicy } from '../policy.ts'
import { listDeployments } from './read-deployments.ts'
import type { Deployment, DeploymentState } from './read-deployments.ts'

/** So many resources may have deployments, retired ones counted: every gateway keeps all of them. */
export const DEPLOYMENTS_MAX = 5000
const MODELS_MAX = 100
const TEXT_BYTES_MAX = 1024
const SETTINGS_BYTES_MAX = 60_000
/** What is said beside the settings, and not in them. */
const OWN = ['resource_id', 'models', 'retired', 'id']

export type SetDeploymentOutcome =
  | { readonly kind: 'set' | 'changed' | 'unchanged' | 'too_many' }
  /** Another active deployment serves it. */
  | { readonly kind: 'model_taken'; readonly model: string; readonly resourceId: string }

export type NewDeployment = {
  readonly resourceId: string
  /** By the names that clients use; none: it is found by its resource alone. */
  readonly models: readonly string[]
  /** Settings of a route, under the names of the configuration. What they mean is for the gateway to know; whoever calls has checked them. */
  readonly settings: DeploymentEntry
  readonly recordedBy?: string
}

/** Says where requests for a resource go from now on; one that had retired serves again. Gateways follow within a second. @throws {LedgerInputError} */
export async function setDeployment(db: Database, deployment: NewDeployment): Promise<SetDeploymentOutcome> {
  check(deployment)
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const { resourceId, models, settings, recordedBy } = deployment
    const all = await listDeployments(tx)
    const before = all.find((each) => each.resourceId === resourceId)
    for (const other of all) {
      const model = other === before || other.state === 'retired' ? undefined : models.find((each) => other.models.includes(each))
      if (model !== undefined) return { kind: 'model_taken', model, resourceId: other.resourceId }
    }
    if (before === undefined && all.length >= DEPLOYMENTS_MAX) return { kind: 'too_many' }
    const isSame = before?.state === 'active' && isDeepStrictEqual([before.models, before.settings], [models, settings])
    if (isSame) return { kind: 'unchanged' }
    await write(tx, { resourceId, models, settings, state: 'active', revision: (before?.revision ?? 0) + 1, recordedBy })
    return { kind: before === undefined ? 'set' : 'changed' }
  })
}

/** Says that a resource is not served any more: requests for it are answered 410, and no longer 404. */
export async function retireDeployment(
  db: Database,
  { resourceId, recordedBy }: { readonly resourceId: string; readonly recordedBy?: string },
): Promise<'retired' | 'unchanged' | 'unknown_deployment'> {
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const before = (await listDeployments(tx)).find((each) => each.resourceId === resourceId)
    if (before === undefined) return 'unknown_deployment'
    if (before.state === 'retired') return 'unchanged'
    await write(tx, { ...before, state: 'retired', revision: before.revision + 1, recordedBy })
    return 'retired'
  })
}

type Written = Pick<Deployment, 'resourceId' | 'models' | 'settings' | 'revision'> & {
  readonly state: DeploymentState
  readonly recordedBy: string | undefined
}

async function write(tx: Queryable, { resourceId, revision, state, models, settings, recordedBy }: Written): Promise<void> {
  await tx.query(
    `insert into deployment_version (resource_id, revision, state, models, settings, recorded_by)
     values ($1::text, $2::integer, $3::text, $4::text[], $5::jsonb, $6::text)`,
    [resourceId, revision, state, [...models], JSON.stringify(settings), recordedBy ?? null],
  )
  await bumpPolicy(tx, { keys: 'none' })
}

/** @throws {LedgerInputError} */
function check({ resourceId, models, settings }: NewDeployment): void {
  const cannot = `Cannot set the deployment "${resourceId.slice(0, TEXT_BYTES_MAX)}":`
  if (!isText(resourceId)) throw new LedgerInputError(`${cannot} its id is empty, holds NUL or has more than ${TEXT_BYTES_MAX} bytes`)
  if (models.length > MODELS_MAX) throw new LedgerInputError(`${cannot} it has ${models.length} models, more than ${MODELS_MAX}`)
  for (const model of models)
    if (!isText(model)) throw new LedgerInputError(`${cannot} a model's name is empty, holds NUL or has more than ${TEXT_BYTES_MAX} bytes`)
  if (new Set(models).size !== models.length) throw new LedgerInputError(`${cannot} a model is named twice`)
  for (const name of OWN)
    if (name in settings) throw new LedgerInputError(`${cannot} its settings say "${name}", which is said beside them`)
  if (Buffer.byteLength(JSON.stringify(settings)) > SETTINGS_BYTES_MAX)
    throw new LedgerInputError(`${cannot} its settings have more than ${SETTINGS_BYTES_MAX} bytes`)
}

function isText(text: string): boolean {
  return text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= TEXT_BYTES_MAX
}
