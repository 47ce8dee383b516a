import { MACHINES } from '@ascribe/kinds'
import { recordedDrives, recordedServer } from '../../src/machine/marks.ts'
import type { ChaosWorld } from './chaos-world.ts'

/** What differs between what should be and what is; empty when it is as it should. */
export async function differences(world: ChaosWorld, desired: ReadonlySet<string>): Promise<string[]> {
  const { cloud, client, owners } = world
  const wrong: string[] = []
  const machines = (await client.list(MACHINES)).items
  const keys = new Set(machines.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
  for (const key of desired) if (!keys.has(key)) wrong.push(`${key} is not there`)
  for (const key of keys) if (!desired.has(key)) wrong.push(`${key} is still there`)
  const servers = new Map(cloud.servers().map((server) => [server.uuid, server]))
  const recorded = new Set<string>()
  const drives = new Map<string, Set<string>>(owners.map(({ namespace }) => [namespace, new Set()]))
  for (const machine of machines) {
    const key = `${machine.metadata.namespace}/${machine.metadata.name}`
    const uuid = recordedServer(machine)
    const ready = machine.status?.conditions?.find(({ type }) => type === 'Ready')
    if (ready?.status !== 'True') wrong.push(`${key} is not ready: ${ready?.reason} ${ready?.message}`)
    if (uuid === undefined) wrong.push(`${key} has no server`)
    else if (servers.get(uuid)?.status !== 'running') wrong.push(`${key}: its server is ${servers.get(uuid)?.status ?? 'not there'}`)
    if (uuid !== undefined) recorded.add(uuid)
    for (const drive of recordedDrives(machine)) if (drive !== undefined) drives.get(machine.metadata.namespace ?? '')?.add(drive)
  }
  for (const { uuid, name } of servers.values()) if (!recorded.has(uuid)) wrong.push(`server ${name} ${uuid} is nobody's`)
  for (const { eyes, namespace } of owners) {
    const standing = await eyes.drives.list({}, { whole: true })
    const wanted = drives.get(namespace) ?? new Set()
    for (const { uuid, name } of standing) if (!wanted.has(uuid)) wrong.push(`drive ${name} ${uuid} is nobody's`)
    for (const uuid of wanted) if (!standing.some((drive) => drive.uuid === uuid)) wrong.push(`drive ${uuid} of ${namespace} is not there`)
  }
  return wrong
}
