import type { KubeObject } from '@ascribe/kube'

/** kube-dc's KdcCluster, and Cluster API's users of templates, with any fields: stand-ins for servers that do not know them. */
export function kdcDefinitions(): readonly KubeObject[] {
  return [
    definition({ group: 'k8s.kube-dc.com', version: 'v1alpha1', kind: 'KdcCluster' }),
    definition({ group: 'cluster.x-k8s.io', version: 'v1beta2', kind: 'MachineDeployment' }),
    definition({ group: 'cluster.x-k8s.io', version: 'v1beta2', kind: 'MachineSet' }),
  ]
}

function definition({ group, version, kind }: { readonly group: string; readonly version: string; readonly kind: string }): KubeObject {
  const singular = kind.toLowerCase()
  const object = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${singular}s.${group}`, annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in for tests' } },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural: `${singular}s`, singular },
      scope: 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }
  return object
}
