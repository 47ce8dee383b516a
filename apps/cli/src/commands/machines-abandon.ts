import type { Command } from 'commander'
import { runAbandon } from '@ascribe/controller'
import type { AbandonCommand, AbandonReport } from '@ascribe/controller'
import { InputError } from '@ascribe/kit'
import { contextOf } from '../command.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'
import { machineKeyOf } from './machines-import.ts'

type AbandonFlags = { readonly kubeconfig?: string; readonly reason?: string; readonly agree?: true; readonly withdraw?: true }

/** `ascribe machines abandon`. */
export function addMachinesAbandon(machines: Command, surroundings: Surroundings): void {
  machines
    .command('abandon')
    .argument('<machine>', 'the CloudSigmaMachine, NAMESPACE/NAME')
    .description('give up a machine whose deletion is blocked, and leave what stands in the cloud; takes two people')
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG')
    .option('--reason <text>', 'ask for it, and say why')
    .option('--agree', 'agree to what somebody else asked for')
    .option('--withdraw', 'take it back, as long as the machine is there')
    .addHelpText('after', HELP)
    .action(async (machine: string, flags: AbandonFlags, command: Command) => {
      const { out } = contextOf(command, surroundings)
      const what = whatOf(flags)
      const report = await runAbandon({ kubeconfig: flags.kubeconfig ?? surroundings.env['KUBECONFIG'], ...machineKeyOf(machine), what })
      const { askedBy, agreedBy, ...rest } = report
      if (out.json) out.value({ ...rest, asked_by: askedBy, agreed_by: agreedBy })
      else print(out, report)
    })
}

const HELP = `
Only for a deletion that says DeletionBlocked and that nobody can unblock: see docs/runbooks/deletion-blocked.md first. One person asks with
--reason, another agrees with --agree; the API server checks that they are two, and that both are of the group ascribe:platform. Then the
controller writes a ConfigMap orphan-<uid> with what is left into its namespace, a line into the owner's access log and an Event, and lets
the object go. Server and drives stay, and their owner goes on paying for them: tell the owner.

Examples:  ascribe machines abandon team-a/workers-x7 --reason "the account was closed on 2026-11-20, ticket 4711"
           ascribe machines abandon team-a/workers-x7 --agree
           ascribe machines abandon team-a/workers-x7 --withdraw --json`

/** @throws {InputError} unless it is exactly one of them */
function whatOf({ reason, agree, withdraw }: AbandonFlags): AbandonCommand['what'] {
  const asked = [reason !== undefined, agree === true, withdraw === true].filter(Boolean).length
  if (asked !== 1) throw new InputError('Cannot tell what to do: say one of --reason TEXT, --agree, --withdraw')
  if (reason !== undefined) return { do: 'ask', reason }
  return agree === true ? { do: 'agree' } : { do: 'withdraw' }
}

const SAYS: Readonly<Record<AbandonReport['state'], string>> = {
  asked: 'Asked for. Nothing happens until another person agrees: ascribe machines abandon … --agree',
  agreed: 'Agreed. The controller lets the object go now; what stands in the cloud stays.',
  withdrawn: 'Withdrawn.',
}

function print(out: Output, { machine, state, askedBy, agreedBy, reason, leaves }: AbandonReport): void {
  out.line(`${machine}: ${SAYS[state]}`)
  if (askedBy !== undefined) out.line(`  asked by   ${askedBy}`)
  if (agreedBy !== undefined) out.line(`  agreed by  ${agreedBy}`)
  if (reason !== undefined) out.line(`  because    ${reason}`)
  out.line(
    `  leaves     ${leaves.account ?? 'an account that is not known'}: server ${leaves.server ?? 'unknown'}, drives ${leaves.drives.join(', ') || 'unknown'}`,
  )
}
