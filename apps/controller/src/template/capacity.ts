import type { CloudSigmaMachineTemplate, MachineTemplateStatus } from '@ascribe/kinds'

const ARCHITECTURE = 'kubernetes.io/arch'
/** MHz of a core where the cloud chooses their number: the fastest it has, so that a machine never offers less than was said. */
const MHZ_PER_CORE = 2_500

/** C-42: what a machine of this template will offer, for an autoscaler that has none to look at. Before what the node keeps for itself. */
export function capacityOf({
  spec: { template },
}: Pick<CloudSigmaMachineTemplate, 'spec'>): Pick<MachineTemplateStatus, 'capacity' | 'nodeInfo'> {
  const { cpu, cpuCores = 0, memory, disks = [] } = template.spec
  const cores = cpuCores > 0 ? cpuCores : Math.max(1, Math.floor(cpu / MHZ_PER_CORE))
  const boot = disks.toSorted((a, b) => a.boot_order - b.boot_order)[0]
  return {
    capacity: {
      cpu: String(cores),
      memory: `${memory}Mi`,
      ...(boot !== undefined && { 'ephemeral-storage': String(boot.size) }),
    },
    nodeInfo: { architecture: template.metadata?.labels?.[ARCHITECTURE] ?? 'amd64', operatingSystem: 'linux' },
  }
}
