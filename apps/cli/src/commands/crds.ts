import type { Command } from 'commander'
import { crds, yamlStream } from '@ascribe/kinds'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'
import { printManifests } from '../print-manifests.ts'

/** `ascribe crds`. */
export function configureCrds(root: Command, surroundings: Surroundings, _finish: Finish): void {
  root
    .addHelpText(
      'after',
      `
YAML; with --json one List. The kind KdcCluster is not among them: it is kube-dc's.

Examples:  ascribe crds | kubectl apply --server-side -f -
           ascribe crds --json | jq -r '.items[].metadata.name'`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { out } = contextOf(command, surroundings)
      await printManifests(out, { manifests: crds(), yaml: yamlStream })
    })
}
