import type { KubeObject, Resource } from '@ascribe/kube'

/** cluster.x-k8s.io Cluster, in both contracts, as far as machines depend on it. */
export type CapiCluster = KubeObject & {
  readonly spec?: { readonly paused?: boolean; readonly infrastructureRef?: { readonly kind?: string; readonly name?: string } }
  readonly status?: { readonly infrastructureReady?: boolean; readonly initialization?: { readonly infrastructureProvisioned?: boolean } }
}

/** cluster.x-k8s.io Machine, likewise. */
export type CapiMachine = KubeObject & {
  readonly spec?: {
    readonly clusterName?: string
    readonly bootstrap?: { readonly dataSecretName?: string }
    readonly failureDomain?: string
  }
  readonly status?: { readonly nodeRef?: { readonly name?: string } }
}

export type CapiResources = { readonly clusters: Resource<CapiCluster>; readonly machines: Resource<CapiMachine> }

/** Both kinds in one version of Cluster API. Default the one that is current (contract v1beta2). */
export function capiResources(version: string = 'v1beta2'): CapiResources {
  const group = 'cluster.x-k8s.io'
  return {
    clusters: { group, version, plural: 'clusters', kind: 'Cluster', namespaced: true },
    machines: { group, version, plural: 'machines', kind: 'Machine', namespaced: true },
  }
}

/** ipam.cluster.x-k8s.io (C 4.6). */
export type IpAddressClaim = KubeObject & {
  readonly spec?: {
    readonly clusterName?: string
    readonly poolRef?: { readonly apiGroup?: string; readonly kind: string; readonly name: string }
  }
  readonly status?: { readonly addressRef?: { readonly name?: string }; readonly conditions?: readonly { readonly message?: string }[] }
}
export type IpAddress = KubeObject & {
  readonly spec?: { readonly address?: string; readonly prefix?: number; readonly gateway?: string }
}

export type IpamResources = { readonly claims: Resource<IpAddressClaim>; readonly addresses: Resource<IpAddress> }

export function ipamResources(version: string = 'v1beta2'): IpamResources {
  const group = 'ipam.cluster.x-k8s.io'
  return {
    claims: { group, version, plural: 'ipaddressclaims', kind: 'IPAddressClaim', namespaced: true },
    addresses: { group, version, plural: 'ipaddresses', kind: 'IPAddress', namespaced: true },
  }
}
