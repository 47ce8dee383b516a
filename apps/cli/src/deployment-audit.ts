import { systemClock } from '@ascribe/kit'
import { INSTALLATION_CHAIN } from '@ascribe/ledger'
import type { AuditDeployment, AuditEntry, DeploymentVersion, Trail } from '@ascribe/ledger'
import { cliActor } from './commands/audit-erase.ts'
import type { Surroundings } from './surroundings.ts'

/** A version with more is named by its revision, under which the ledger keeps it for good: a line is read by people, too. */
const VERSION_BYTES_MAX = 8192
/** As the ledger has it; what was asked for may be longer. */
const RESOURCE_LENGTH_MAX = 1024

/** The line of a change to a deployment, refused ones too. What a deployment says holds no secret: the ledger takes none. */
export function deploymentAudit(
  trail: Pick<Trail, 'appendIn'>,
  surroundings: Surroundings,
  { change, resourceId }: { readonly change: 'deployment_set' | 'deployment_retired'; readonly resourceId: string },
): AuditDeployment<string> {
  return (tx, { outcome, before, after }) => {
    const resource = resourceId.slice(0, RESOURCE_LENGTH_MAX)
    const detail = { change, resource, outcome, before: shown(before), ...(after !== before && { after: shown(after) }) }
    return trail.appendIn(tx, [{ chain: INSTALLATION_CHAIN, kind: 'admin', at: systemClock(), actor: cliActor(surroundings), detail }])
  }
}

type Detail = NonNullable<AuditEntry['detail']>

function shown(version: DeploymentVersion | undefined): Detail | null {
  if (version === undefined) return null
  const { state, revision, models, settings } = version
  // It came as JSON, or goes as such.
  const whole = JSON.stringify({ state, revision, models, settings })
  return Buffer.byteLength(whole) <= VERSION_BYTES_MAX ? (JSON.parse(whole) as Detail) : { state, revision, models: models.length }
}
