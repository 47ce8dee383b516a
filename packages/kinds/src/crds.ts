import type { z } from 'zod'
import { CAPI, GROUP, VERSION } from './names.ts'
import type { KindResource } from './names.ts'
import { PROVIDER_LABEL } from './provider.ts'
import { CLUSTERS, CLUSTER_TEMPLATES, IMPERSONATORS, MACHINES, MACHINE_TEMPLATES, OWNER_BINDINGS } from './resources.ts'
import { clusterSpec, clusterStatus, clusterTemplateSpec, clusterTemplateStatus } from './schema/cluster.ts'
import { structural } from './schema/lower.ts'
import { machineSpec, machineStatus, machineTemplateSpec, machineTemplateStatus } from './schema/machine.ts'
import { impersonatorSpec, impersonatorStatus, ownerBindingSpec, ownerBindingStatus } from './schema/owner.ts'
import type { Manifest } from './manifest.ts'

type Column = {
  readonly name: string
  readonly type: string
  readonly jsonPath: string
  readonly priority?: number
  readonly description?: string
}

type Definition = {
  readonly resource: KindResource<unknown>
  readonly description: string
  readonly spec: z.ZodType
  readonly status: z.ZodType
  readonly columns: readonly Column[]
}

const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
const READY: Column = { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' }
const REASON: Column = { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' }
const CLUSTER: Column = { name: 'Cluster', type: 'string', jsonPath: String.raw`.metadata.labels.cluster\.x-k8s\.io/cluster-name` }
const OWNER: Column = { name: 'Owner', type: 'string', jsonPath: '.status.account.userUUID', priority: 1 }

const DEFINITIONS: readonly Definition[] = [
  {
    resource: CLUSTERS,
    description: 'Where the machines of a cluster stand, and whose they are.',
    spec: clusterSpec,
    status: clusterStatus,
    columns: [
      CLUSTER,
      READY,
      REASON,
      { name: 'Region', type: 'string', jsonPath: '.spec.region' },
      { name: 'Endpoint', type: 'string', jsonPath: '.spec.controlPlaneEndpoint.host', priority: 1 },
      OWNER,
      AGE,
    ],
  },
  {
    resource: CLUSTER_TEMPLATES,
    description: 'What CloudSigmaClusters of a ClusterClass are made of. Immutable.',
    spec: clusterTemplateSpec,
    status: clusterTemplateStatus,
    columns: [{ name: 'Region', type: 'string', jsonPath: '.spec.template.spec.region' }, AGE],
  },
  {
    resource: MACHINES,
    description: "A server in the owner's account.",
    spec: machineSpec,
    status: machineStatus,
    columns: [
      CLUSTER,
      { name: 'Machine', type: 'string', jsonPath: '.metadata.ownerReferences[?(@.kind=="Machine")].name' },
      { name: 'InstanceID', type: 'string', jsonPath: '.status.instanceID' },
      { name: 'State', type: 'string', jsonPath: '.status.instanceState' },
      READY,
      REASON,
      OWNER,
      AGE,
    ],
  },
  {
    resource: MACHINE_TEMPLATES,
    description: 'What CloudSigmaMachines are made of. Immutable: make another one to change machines.',
    spec: machineTemplateSpec,
    status: machineTemplateStatus,
    columns: [
      { name: 'CPU', type: 'integer', jsonPath: '.spec.template.spec.cpu', description: 'MHz' },
      { name: 'Memory', type: 'integer', jsonPath: '.spec.template.spec.memory', description: 'MiB' },
      AGE,
    ],
  },
  {
    resource: IMPERSONATORS,
    description: 'Who impersonates, where, and for which namespaces. Written by the platform only.',
    spec: impersonatorSpec,
    status: impersonatorStatus,
    columns: [
      { name: 'Issuer', type: 'string', jsonPath: '.spec.issuer' },
      { name: 'Namespaces', type: 'string', jsonPath: '.spec.allowedNamespaces.mode' },
      { name: 'Fallback', type: 'string', jsonPath: '.spec.fallback.mode' },
      READY,
      AGE,
    ],
  },
  {
    resource: OWNER_BINDINGS,
    description: 'Permits a namespace to act for an owner. Written by the platform only, and immutable but for limits and expiry.',
    spec: ownerBindingSpec,
    status: ownerBindingStatus,
    columns: [
      { name: 'Namespace', type: 'string', jsonPath: '.spec.namespaceRef.name' },
      { name: 'Owner', type: 'string', jsonPath: '.spec.subject.userUUID' },
      { name: 'Evidence', type: 'string', jsonPath: '.spec.evidence.type' },
      { name: 'Expires', type: 'date', jsonPath: '.spec.expiresAt' },
      READY,
      AGE,
    ],
  },
]

/** All CustomResourceDefinitions, with both contract labels (C-3). KdcCluster is not among them: it is kube-dc's. */
export function crds(): readonly Manifest[] {
  return DEFINITIONS.map(definition)
}

function definition({ resource: { plural, kind, namespaced }, description, spec, status, columns }: Definition): Manifest {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      // C-2: Cluster API looks it up by this name.
      name: `${plural}.${GROUP}`,
      labels: { [CAPI.provider]: PROVIDER_LABEL, 'cluster.x-k8s.io/v1beta1': VERSION, 'cluster.x-k8s.io/v1beta2': VERSION },
    },
    spec: {
      group: GROUP,
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List`, categories: ['cluster-api'] },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: structural(spec),
                status: structural(status),
              },
            },
          },
        },
      ],
    },
  }
}
