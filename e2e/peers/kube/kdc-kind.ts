import type { Located } from './install-kinds.ts'

/** kube-dc's kind, as far as we look at it. */
export const KDC_CLUSTERS_DEFINITION: Located & { readonly spec: object } = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'kdcclusters.k8s.kube-dc.com' },
  spec: {
    group: 'k8s.kube-dc.com',
    scope: 'Namespaced',
    names: { plural: 'kdcclusters', singular: 'kdccluster', kind: 'KdcCluster', listKind: 'KdcClusterList' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}
