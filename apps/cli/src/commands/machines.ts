import type { Command } from 'commander'
import { ANNOTATIONS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { contextOf } from '../command.ts'
import type { Finish } from '../finish.ts'
import { openKube } from '../kube/open-kube.ts'
import { wordsOf } from '../kube/reason-words.ts'
import { writeList } from '../list-output.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'
import { addMachinesAbandon } from './machines-abandon.ts'
import { addMachinesImport, machineKeyOf } from './machines-import.ts'

type ListFlags = { readonly kubeconfig?: string; readonly namespace?: string; readonly trouble?: true }

/** `ascribe machines list|inspect|import|abandon`. */
export function configureMachines(machines: Command, surroundings: Surroundings, finish: Finish): void {
  addMachinesList(machines, surroundings)
  addMachinesInspect(machines, surroundings)
  addMachinesImport(machines, surroundings, finish)
  addMachinesAbandon(machines, surroundings)
}

function addMachinesList(machines: Command, surroundings: Surroundings): void {
  machines
    .command('list')
    .description('CloudSigmaMachines: in whose account each is, and what stands in its way')
    .option('--namespace <name>', 'only of this namespace')
    .option('--trouble', 'only those that something stands in the way of')
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG')
    .addHelpText(
      'after',
      `
What machines have used, and what was done with them, is in the ledger: \`ascribe statement\`, and the access log of the organization.

Examples:  ascribe machines list --kubeconfig ~/.kube/config
           ascribe machines list --trouble --json`,
    )
    .action(async (flags: ListFlags, command: Command) => {
      const { out } = contextOf(command, surroundings)
      await using stack = new AsyncDisposableStack()
      const kube = await openKube(flags.kubeconfig, { env: surroundings.env, stack })
      const { items } = await kube.list(MACHINES, flags.namespace === undefined ? {} : { namespace: flags.namespace })
      const rows = items.map(rowOf).filter(({ trouble }) => flags.trouble !== true || trouble !== undefined)
      await writeList(out, rows, {
        columns: COLUMNS,
        row: ({ namespace, name, account, region, server, state, trouble }) => [
          `${namespace}/${name}`,
          account ?? '-',
          region ?? '-',
          server ?? '-',
          state ?? '-',
          trouble === undefined ? '' : trouble.reason,
        ],
        json: (row) => row,
      })
    })
}

const COLUMNS = [
  { title: 'machine' },
  { title: 'account' },
  { title: 'region' },
  { title: 'server' },
  { title: 'state' },
  { title: 'in its way' },
] as const

type Trouble = { readonly condition: string; readonly reason: string; readonly message: string; readonly since: string | undefined }
type Row = {
  readonly namespace: string
  readonly name: string
  readonly account: string | undefined
  readonly user: string | undefined
  readonly region: string | undefined
  readonly server: string | undefined
  readonly state: string | undefined
  readonly ready: boolean
  readonly trouble: Trouble | undefined
}

function rowOf(machine: CloudSigmaMachine): Row {
  const { metadata, status } = machine
  const pin = pinOf(metadata.annotations?.[ANNOTATIONS.account])
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    account: pin?.kind === 'Owner' ? pin.userUUID : pin?.kind,
    user: pin?.userUUID,
    region: pin?.region,
    server: metadata.annotations?.[ANNOTATIONS.server] ?? status?.instanceID,
    state: status?.instanceState,
    ready: status?.initialization?.provisioned === true,
    trouble: troubleOf(machine),
  }
}

/** The first condition that says what is in the way: those that only sum up others come last. */
function troubleOf({ status }: CloudSigmaMachine): Trouble | undefined {
  const bad = (status?.conditions ?? []).filter(({ type, status: state }) =>
    type === 'Paused' || type === 'Deleting' || type === 'UsingPlatformAccount' ? false : state !== 'True',
  )
  const [first] = bad.toSorted((a, b) => Number(a.type === 'Ready') - Number(b.type === 'Ready'))
  if (first === undefined) return undefined
  return { condition: first.type, reason: first.reason ?? '', message: first.message ?? '', since: first.lastTransitionTime }
}

type Pin = { readonly kind: string; readonly userUUID: string; readonly region: string }

function pinOf(text: string | undefined): Pin | undefined {
  try {
    const { kind, userUUID, region } = JSON.parse(text ?? '') as Record<string, unknown>
    return typeof kind === 'string' && typeof userUUID === 'string' && typeof region === 'string' ? { kind, userUUID, region } : undefined
  } catch {
    return undefined
  }
}

function addMachinesInspect(machines: Command, surroundings: Surroundings): void {
  machines
    .command('inspect')
    .argument('<machine>', 'NAMESPACE/NAME')
    .description('one machine in plain words: whose it is, what there is of it in the cloud, what is wrong and how it is mended')
    .option('--kubeconfig <file>', 'the management cluster; without it KUBECONFIG')
    .addHelpText('after', '\nExample:  ascribe machines inspect team-a/workers-x7 --kubeconfig ~/.kube/config')
    .action(async (text: string, flags: { readonly kubeconfig?: string }, command: Command) => {
      const { out } = contextOf(command, surroundings)
      const key = machineKeyOf(text)
      await using stack = new AsyncDisposableStack()
      const kube = await openKube(flags.kubeconfig, { env: surroundings.env, stack })
      const machine = await kube.get(MACHINES, key)
      const row = rowOf(machine)
      const words = row.trouble === undefined ? undefined : wordsOf(row.trouble.reason)
      const annotations = machine.metadata.annotations ?? {}
      const facts = {
        drives: annotations[ANNOTATIONS.drives],
        create_token: annotations[ANNOTATIONS.createToken],
        quarantine: annotations[ANNOTATIONS.quarantine],
        counted_until: countedUntil(annotations[ANNOTATIONS.metered]),
        deleting_since: machine.metadata.deletionTimestamp,
      }
      if (out.json) out.value({ ...row, ...facts, why: words?.why, mend: words?.mend, conditions: machine.status?.conditions ?? [] })
      else print(out, { row, words, facts })
    })
}

type Report = {
  readonly row: Row
  readonly words: ReturnType<typeof wordsOf>
  readonly facts: Readonly<Record<string, string | undefined>>
}

function print(out: Output, { row, words, facts }: Report): void {
  const { namespace, name, account, user, region, server, state, ready, trouble } = row
  out.line(`${out.style.bold(`${namespace}/${name}`)}${ready ? '' : ', not provisioned yet'}`)
  if (user === undefined) out.line('  account    not chosen yet: nothing was sent to any cloud for it')
  else out.line(`  account    ${account === user ? `of ${user}` : `${account ?? ''}, ${user}`}, in ${region ?? '?'}`)
  out.line(`  server     ${server ?? 'none'}${state === undefined ? '' : `, ${state}`}`)
  for (const [title, value] of Object.entries(facts)) {
    if (value !== undefined && value !== '') out.line(`  ${title.replaceAll('_', ' ').padEnd(14)} ${value}`)
  }
  if (trouble === undefined) return out.line(out.style.good('  nothing stands in its way'))
  out.line(`  ${out.style.bad(trouble.reason)}  ${words?.why ?? trouble.message}`)
  if (words !== undefined && trouble.message !== '') out.line(`  ${out.style.dim(trouble.message)}`)
  if (words !== undefined) out.line(`  ${words.mend}`)
}

/** Up to when what it used is in records, or is owed to them. */
function countedUntil(metered: string | undefined): string | undefined {
  try {
    const { from } = JSON.parse(metered ?? '') as { readonly from?: unknown }
    return typeof from === 'number' ? new Date(from).toISOString() : undefined
  } catch {
    return undefined
  }
}
