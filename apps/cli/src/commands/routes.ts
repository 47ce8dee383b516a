import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { InputError, errorChain } from '@ascribe/kit'
import { createTrail, listDeployments, retireDeployment, setDeployment } from '@ascribe/ledger'
import type { Deployment, SetDeploymentOutcome } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { auditSignerOf } from '../audit-key.ts'
import { contextOf } from '../command.ts'
import { deploymentAudit } from '../deployment-audit.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import { checkDeployment } from '../route-settings.ts'
import type { Surroundings } from '../surroundings.ts'

type SetOptions = {
  readonly resource: string
  readonly model?: readonly string[]
  readonly upstream?: readonly string[]
  readonly type?: string
  readonly settings?: string
}

/** A weight behind an address: `http://a.internal:8000=3`. */
const WEIGHTED = /^(.+)=(\d{1,4})$/

/** `ascribe routes set|list|retire`. */
export function configureRoutes(root: Command, surroundings: Surroundings): void {
  root.addHelpText(
    'after',
    `
Deployments of the ledger, beside the routes of the configuration, which go first. Gateways keep the last good ones on their disks, and follow a
change within a second. A resource that has retired is answered 410 and no longer 404. Every change leaves a line in the audit trail: who, and what
was said before and after (\`ascribe audit export --installation\`).`,
  )
  root
    .command('set')
    .description('say where the requests for a resource go; replaces what was said before')
    .requiredOption('--resource <id>', 'the resource id that records have')
    .option('--model <name...>', 'models that it serves, by the names that clients use')
    .option('--upstream <url...>', 'where its engine is, with or without /v1; several with =WEIGHT behind each')
    .option('--type <type>', 'the resource type that records have')
    .option('--settings <json>', 'further settings, as of gateway.routes; @FILE reads them from a file')
    .addHelpText(
      'after',
      `
Example:  ascribe routes set --resource dep-7 --model llama-70b --upstream http://a.internal:8000=3 http://b.internal:8000=1 \\
            --settings '{"health":{"path":"/health"},"credential_name":"engines"}'`,
    )
    .action(async (options: SetOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { resource: resourceId, model: models = [] } = options
      const settings = settingsOf(options)
      // As a gateway will read it: refused here, and not there.
      checkDeployment({ ...settings, resource_id: resourceId, models })
      const outcome = await changeDirectory(context, 'routes', async (db) => {
        await using trail = createTrail({ db, signer: auditSignerOf(context), logger: context.logger })
        const audit = deploymentAudit(trail, surroundings, { change: 'deployment_set', resourceId })
        return setDeployment(db, { resourceId, models, settings, recordedBy: operatorOf(surroundings), audit })
      })
      refuseUnset(resourceId, outcome)
      if (context.out.json) context.out.value({ outcome: outcome.kind, resource_id: resourceId })
      else context.out.line(`${outcome.kind === 'unchanged' ? 'that is so already' : outcome.kind}: deployment ${resourceId}`)
    })
  addList(root, surroundings)
  root
    .command('retire')
    .description('say that a resource is not served any more')
    .requiredOption('--resource <id>', 'its id')
    .action(async ({ resource: resourceId }: { resource: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const outcome = await changeDirectory(context, 'routes', async (db) => {
        await using trail = createTrail({ db, signer: auditSignerOf(context), logger: context.logger })
        const audit = deploymentAudit(trail, surroundings, { change: 'deployment_retired', resourceId })
        return retireDeployment(db, { resourceId, recordedBy: operatorOf(surroundings), audit })
      })
      if (outcome === 'unknown_deployment') {
        throw new InputError(`Cannot retire "${resourceId}": the ledger has no such deployment`, {
          hint: '`ascribe routes list` shows them.',
        })
      }
      if (context.out.json) context.out.value({ outcome, resource_id: resourceId })
      else context.out.line(`${outcome === 'unchanged' ? 'that is so already' : outcome}: deployment ${resourceId}`)
    })
}

function addList(root: Command, surroundings: Surroundings): void {
  root
    .command('list')
    .description('list the deployments of the ledger, retired ones too')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'routes', logger: context.logger })
      const found = await listDeployments(ledger.db)
      if (context.out.json) return context.out.value(found.map(deploymentJson))
      context.out.table(
        [{ title: 'resource' }, { title: 'state' }, { title: 'models' }, { title: 'upstreams' }, { title: 'set' }, { title: 'by' }],
        found.map((each) => [
          each.resourceId,
          each.state,
          each.models.join(', '),
          addressesOf(each).join(', '),
          formatInstant(each.recordedAt),
          each.recordedBy ?? '',
        ]),
      )
    })
}

function deploymentJson({ resourceId, state, models, settings, revision, recordedAt, recordedBy }: Deployment): object {
  return { resource_id: resourceId, state, models, settings, revision, set_at: formatInstant(recordedAt), set_by: recordedBy }
}

function addressesOf({ settings }: Deployment): readonly string[] {
  const { upstream, upstreams } = settings
  if (typeof upstream === 'string') return [upstream]
  return Array.isArray(upstreams) ? (upstreams as readonly { readonly url?: unknown }[]).map(({ url }) => String(url)) : []
}

function settingsOf({ upstream: addresses = [], type, settings }: SetOptions): Readonly<Record<string, unknown>> {
  const upstreams = addresses.map((text) => {
    const [, url = text, weight] = WEIGHTED.exec(text) ?? []
    return { url, ...(weight !== undefined && { weight: Number(weight) }) }
  })
  const [first] = upstreams
  const isOne = upstreams.length === 1 && first !== undefined && !('weight' in first)
  return {
    ...(settings !== undefined && readSettings(settings)),
    ...(type !== undefined && { resource_type: type }),
    ...(isOne && { upstream: first.url }),
    ...(upstreams.length > 0 && !isOne && { upstreams }),
  }
}

function readSettings(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text)
  } catch (cause) {
    throw new InputError(`Cannot read --settings: ${errorChain(cause)}`, { hint: 'Give a JSON object, or @FILE with one in it.' })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError('Cannot use --settings: it is not a JSON object', { hint: 'For example {"max_output_tokens":4096}.' })
  return value as Readonly<Record<string, unknown>>
}

function refuseUnset(resourceId: string, outcome: SetDeploymentOutcome): void {
  if (outcome.kind === 'model_taken') {
    throw new InputError(`Cannot set "${resourceId}": the model "${outcome.model}" is served by the deployment "${outcome.resourceId}"`, {
      hint: 'Retire that one, or leave the model to it.',
    })
  }
  if (outcome.kind === 'too_many') {
    throw new InputError(`Cannot set "${resourceId}": the ledger has as many deployments as gateways will keep`, {
      hint: 'Use a convention: an upstream with {resource} or {model} in it.',
    })
  }
}
