import type { Command } from 'commander'
import { runImport } from '@ascribe/controller'
import type { ImportRow } from '@ascribe/controller'
import { InputError } from '@ascribe/kit'
import { DEFAULT_NAMESPACE } from '@ascribe/kinds'
import { createMeters, tryLock } from '@ascribe/service'
import { controllerCloudOf } from '../cloud/controller-cloud.ts'
import { createMintLog } from '../cloud/mint-log.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { writeList } from '../list-output.ts'
import type { Surroundings } from '../surroundings.ts'

type ImportFlags = {
  readonly kubeconfig?: string
  readonly namespace?: string
  readonly dryRun?: true
  readonly undo?: true
  readonly allowStaging?: true
}

/** `ascribe machines import`. */
export function addMachinesImport(machines: Command, surroundings: Surroundings, finish: Finish): void {
  machines
    .command('import')
    .argument('[machine]', 'one CloudSigmaMachine, NAMESPACE/NAME; without it all that there are')
    .description('take over machines of the earlier provider (cluster-api-provider-cloudsigma), or give them back')
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG')
    .option('--namespace <name>', 'only machines of this namespace')
    .option('--dry-run', 'say what would be done; write nothing')
    .option('--undo', 'give imported machines back: take our annotations away')
    .option('--allow-staging', 'let the authorization server be one for trials')
    .addHelpText('after', HELP)
    .action(async (machine: string | undefined, flags: ImportFlags, command: Command) => {
      const { out, dir, config, logger } = contextOf(command, surroundings)
      const { env } = surroundings
      const rows = await runImport(
        {
          kubeconfig: flags.kubeconfig ?? env['KUBECONFIG'],
          cloud: controllerCloudOf(config.cloud, { allowStaging: flags.allowStaging === true }),
          audit: createMintLog(dir.mintLog, tryLock),
          systemNamespace: env['POD_NAMESPACE'] ?? DEFAULT_NAMESPACE,
          logger,
          meters: createMeters(),
        },
        { ...whichOf(machine, flags), isDryRun: flags.dryRun === true, isUndo: flags.undo === true },
      )
      await writeList(out, rows, { columns: COLUMNS, row: rowOf, json: (row) => row })
      if (rows.some(({ outcome }) => outcome === 'refused')) finish(EXIT.failed)
    })
}

const HELP = `
Scale the earlier provider to zero first. A machine is found by its server's id (spec.providerID, status.instanceID, or machine-uid in the
server's meta) and by whose the server is, never by its name. Written are annotations of the object and, where it is missing, the provider
id; in the cloud nothing is made or changed. A server that stands in the platform's account stays there and is operated with
CLOUDSIGMA_USERNAME. Whoever runs this must be of the group ascribe:platform: others may not write these annotations.

Exit code 0 if all that were asked for could be taken, 1 if some were refused; each says why.

Examples:  ascribe machines import --dry-run --kubeconfig ~/.kube/config
           ascribe machines import team-a/workers-x7 --kubeconfig ~/.kube/config
           ascribe machines import --undo --namespace team-a --json`

const COLUMNS = [
  { title: 'machine' },
  { title: 'outcome' },
  { title: 'account' },
  { title: 'server' },
  { title: 'drives', align: 'right' },
  { title: 'notes' },
] as const

function rowOf({ machine, outcome, account, server, drives, notes }: ImportRow): string[] {
  return [machine, outcome, account ?? '-', server ?? '-', String(drives?.length ?? 0), notes.join('; ') || '-']
}

/** @throws {InputError} for what names no object */
export function machineKeyOf(text: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = '', ...rest] = text.split('/')
  if (namespace === '' || name === '' || rest.length > 0)
    throw new InputError(`Cannot find ${JSON.stringify(text)}: it is no NAMESPACE/NAME`, { hint: 'kubectl get cloudsigmamachines -A' })
  return { namespace, name }
}

function whichOf(machine: string | undefined, { namespace }: ImportFlags): { readonly namespace?: string; readonly name?: string } {
  if (machine !== undefined) return machineKeyOf(machine)
  return namespace === undefined ? {} : { namespace }
}
