import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { examineEdge } from '../doctor/edge.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/examine.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type DoctorOptions = { readonly kubeconfig?: string; readonly edge?: string; readonly keyFile?: string; readonly caFile?: string }

/** `ascribe doctor`. */
export function configureDoctor(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--kubeconfig <file>', 'a management cluster, to be looked at as well (default: clusters.kubeconfig)')
    .option('--edge <url>', 'look at a live edge instead: send forged identity headers through it, and see what arrives at the gateway')
    .option('--key-file <file>', 'with --edge: a key or token that may be used for inference; - is standard input')
    .option('--ca-file <file>', 'with --edge: certificate authorities to trust instead of the machine’s')
    .addHelpText('after', '\nExit code 0 if nothing is wrong, 1 if something is; what is only worth knowing does not count.')
    .action(async (options: DoctorOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out } = context
      let wrong = 0
      for await (const finding of findings(context, options)) {
        if (finding.state === 'wrong') wrong += 1
        if (out.json) {
          out.value(finding)
          continue
        }
        const mark = { fine: out.style.good('✓'), note: out.style.warn('!'), wrong: out.style.bad('✗') }[finding.state]
        out.line(`${mark} ${finding.what.padEnd(options.edge === undefined ? 16 : 44)} ${finding.detail}`)
        if (finding.mend !== undefined) out.line(`  ${out.style.dim(finding.mend)}`)
      }
      if (wrong > 0) finish(EXIT.failed)
    })
}

function findings(context: Context, { kubeconfig, edge, keyFile, caFile }: DoctorOptions): AsyncGenerator<Finding, void, undefined> {
  if (edge === undefined) {
    if (keyFile !== undefined || caFile !== undefined) throw new InputError('Cannot use --key-file or --ca-file without --edge')
    return examine(context, { ...(kubeconfig !== undefined && { kubeconfig }) })
  }
  if (keyFile === undefined) {
    throw new InputError('Cannot examine the edge: --key-file is missing', {
      hint: 'Name a file with a key that may be used for inference; `ascribe keys create` makes one.',
    })
  }
  return examineEdge(context, { url: edge, keyFile, ...(caFile !== undefined && { caFile }) })
}
