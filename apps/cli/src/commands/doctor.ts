import type { Command } from 'commander'
import { contextOf } from '../command.ts'
import { examine } from '../doctor/examine.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe doctor`. */
export function configureDoctor(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--kubeconfig <file>', 'a management cluster, to be looked at as well (default: clusters.kubeconfig)')
    .addHelpText('after', '\nExit code 0 if nothing is wrong, 1 if something is; what is only worth knowing does not count.')
    .action(async (options: { readonly kubeconfig?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out } = context
      let wrong = 0
      for await (const finding of examine(context, options)) {
        if (finding.state === 'wrong') wrong += 1
        if (out.json) {
          out.value(finding)
          continue
        }
        const mark = { fine: out.style.good('✓'), note: out.style.warn('!'), wrong: out.style.bad('✗') }[finding.state]
        out.line(`${mark} ${finding.what.padEnd(16)} ${finding.detail}`)
        if (finding.mend !== undefined) out.line(`  ${out.style.dim(finding.mend)}`)
      }
      if (wrong > 0) finish(EXIT.failed)
    })
}
