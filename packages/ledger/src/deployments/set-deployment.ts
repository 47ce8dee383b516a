import { isDeepStrictEqual } from 'node:util'
import type { DeploymentEntry } from '@ascribe/identity'
import type { Database, Queryable } from '@ascribe/postgres'
import { LedgerInputError } from '../errors.ts'
import { lockDirectory } from '../locks.ts'
import { bumpPolicy } from '../policy.ts'
import { listDeployments } from './read-deployments.ts'
import type { Deployment } from './read-deployments.ts'

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

/** What was asked for, and what became of it; the same version twice where nothing was changed. */
type DeploymentChange<Outcome> = {
  readonly outcome: Outcome
  readonly before: DeploymentVersion | undefined
  readonly after: DeploymentVersion | undefined
}

export type DeploymentVersion = Pick<Deployment, 'state' | 'revision' | 'models' | 'settings'>

/** Writes a line of the trail in the change's transaction. */
export type AuditDeployment<Outcome> = (tx: Queryable, change: DeploymentChange<Outcome>) => Promise<unknown>

type RetireDeploymentOutcome = 'retired' | 'unchanged' | 'unknown_deployment'

export type NewDeployment = {
  readonly resourceId: string
  /** By the names that clients use; none: it is found by its resource alone. */
  readonly models: readonly string[]
  /** Settings of a route, under the names of the configuration. What they mean is for the gateway to know; whoever calls has checked them. */
  readonly settings: DeploymentEntry
  readonly recordedBy?: string
  readonly audit?: AuditDeployment<SetDeploymentOutcome['kind']>
}

/** Says where requests for a resource go from now on; one that had retired serves again. Gateways follow within a second. @throws {LedgerInputError} */
export async function setDeployment(db: Database, deployment: NewDeployment): Promise<SetDeploymentOutcome> {
  check(deployment)
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const all = await listDeployments(tx)
    const before = all.find((each) => each.resourceId === deployment.resourceId)
    const outcome = outcomeOf(deployment, before, all)
    const isWritten = outcome.kind === 'set' || outcome.kind === 'changed'
    const after = isWritten ? await write(tx, { ...deployment, state: 'active', revision: (before?.revision ?? 0) + 1 }) : before
    await deployment.audit?.(tx, { outcome: outcome.kind, before, after })
    return outcome
  })
}

function outcomeOf({ models, settings }: NewDeployment, before: Deployment | undefined, all: readonly Deployment[]): SetDeploymentOutcome {
  for (const other of all) {
    const model = other === before || other.state === 'retired' ? undefined : models.find((each) => other.models.includes(each))
    if (model !== undefined) return { kind: 'model_taken', model, resourceId: other.resourceId }
  }
  if (before === undefined) return { kind: all.length >= DEPLOYMENTS_MAX ? 'too_many' : 'set' }
  const isSame = before.state === 'active' && isDeepStrictEqual([before.models, before.settings], [models, settings])
  return { kind: isSame ? 'unchanged' : 'changed' }
}

/** Says that a resource is not served any more: requests for it are answered 410, and no longer 404. */
export async function retireDeployment(
  db: Database,
  {
    resourceId,
    recordedBy,
    audit,
  }: { readonly resourceId: string; readonly recordedBy?: string; readonly audit?: AuditDeployment<RetireDeploymentOutcome> },
): Promise<RetireDeploymentOutcome> {
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const before = (await listDeployments(tx)).find((each) => each.resourceId === resourceId)
    const outcome = before === undefined ? 'unknown_deployment' : before.state === 'retired' ? 'unchanged' : 'retired'
    const after =
      before !== undefined && outcome === 'retired'
        ? await write(tx, { ...before, recordedBy, state: 'retired', revision: before.revision + 1 })
        : before
    await audit?.(tx, { outcome, before, after })
    return outcome
  })
}

type Written = DeploymentVersion & { readonly resourceId: string; readonly recordedBy?: string | undefined }

async function write(tx: Queryable, { resourceId, recordedBy, revision, state, models, settings }: Written): Promise<DeploymentVersion> {
  await tx.query(
    `insert into deployment_version (resource_id, revision, state, models, settings, recorded_by)
     values ($1::text, $2::integer, $3::text, $4::text[], $5::jsonb, $6::text)`,
    [resourceId, revision, state, [...models], JSON.stringify(settings), recordedBy ?? null],
  )
  await bumpPolicy(tx, { keys: 'none' })
  return { state, revision, models, settings }
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
