import { GROUP, VERSION } from './names.ts'
import type { KindResource } from './names.ts'
import type {
  CloudSigmaCluster,
  CloudSigmaClusterTemplate,
  CloudSigmaImpersonator,
  CloudSigmaMachine,
  CloudSigmaMachineTemplate,
  CloudSigmaOwnerBinding,
} from './types.ts'

const ours = { group: GROUP, version: VERSION } as const

export const CLUSTERS: KindResource<CloudSigmaCluster> = {
  ...ours,
  plural: 'cloudsigmaclusters',
  kind: 'CloudSigmaCluster',
  namespaced: true,
}
export const CLUSTER_TEMPLATES: KindResource<CloudSigmaClusterTemplate> = {
  ...ours,
  plural: 'cloudsigmaclustertemplates',
  kind: 'CloudSigmaClusterTemplate',
  namespaced: true,
}
export const MACHINES: KindResource<CloudSigmaMachine> = {
  ...ours,
  plural: 'cloudsigmamachines',
  kind: 'CloudSigmaMachine',
  namespaced: true,
}
export const MACHINE_TEMPLATES: KindResource<CloudSigmaMachineTemplate> = {
  ...ours,
  plural: 'cloudsigmamachinetemplates',
  kind: 'CloudSigmaMachineTemplate',
  namespaced: true,
}
export const IMPERSONATORS: KindResource<CloudSigmaImpersonator> = {
  ...ours,
  plural: 'cloudsigmaimpersonators',
  kind: 'CloudSigmaImpersonator',
  namespaced: false,
}
export const OWNER_BINDINGS: KindResource<CloudSigmaOwnerBinding> = {
  ...ours,
  plural: 'cloudsigmaownerbindings',
  kind: 'CloudSigmaOwnerBinding',
  namespaced: false,
}
