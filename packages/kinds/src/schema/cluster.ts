import { z } from 'zod'
import type { ClusterSpec, ClusterStatus, CloudSigmaClusterTemplate } from '../types.ts'
import {
  OWNER_RULES,
  account,
  conditions,
  deprecatedFailure,
  initialization,
  objectName,
  observedGeneration,
  ownerSelection,
  region,
  templateMetadata,
  text,
  whole,
} from './fields.ts'
import { fixed } from './rule.ts'
import type { Rule } from './rule.ts'

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const CIDR: RegExp = new RegExp(`^(${OCTET}\\.){3}${OCTET}/(3[0-2]|[12]?[0-9])$`)

const fields = {
  ...ownerSelection,
  region: region('Location of the cloud, as the Impersonator names it: its hosts come from there, never from this name.'),
  controlPlaneEndpoint: z
    .object({ host: text(512), port: whole(0, 65_535) })
    .meta({ description: 'Where the control plane answers. Set by whoever runs it; an empty host and port 0 mean: not yet.' })
    .exactOptional(),
  vlan: z
    .object({ uuid: text(36).exactOptional(), name: text(256).exactOptional(), cidr: text(18, { pattern: CIDR }).exactOptional() })
    .meta({ description: "A VLAN of the owner's subscription. It is looked for, never made and never removed." })
    .exactOptional(),
  loadBalancer: z
    .object({ enabled: z.boolean(), type: z.enum(['tcp', 'http']).exactOptional() })
    .meta({ description: 'Accepted for older manifests; nothing reads it.' })
    .exactOptional(),
  credentialsRef: z
    .object({ name: objectName(), namespace: text(63).exactOptional() })
    .meta({ description: 'Accepted for older manifests; nothing reads it.' })
    .exactOptional(),
}

const CLUSTER_RULES: readonly Rule[] = [...OWNER_RULES, fixed('region', 'its machines stand there')]

export const clusterSpec: z.ZodType<ClusterSpec> = z.object(fields).meta({ 'x-kubernetes-validations': CLUSTER_RULES })

export const clusterStatus: z.ZodType<ClusterStatus> = z.object({
  ready: z.boolean().meta({ description: 'Contract v1beta1.' }).exactOptional(),
  initialization: initialization.exactOptional(),
  network: z.object({ vlanUUID: text(64).exactOptional(), cidr: text(64).exactOptional() }).exactOptional(),
  loadBalancer: z.object({ ip: text(64).exactOptional(), ready: z.boolean().exactOptional() }).exactOptional(),
  account: account.exactOptional(),
  conditions: conditions.exactOptional(),
  observedGeneration: observedGeneration.exactOptional(),
  ...deprecatedFailure,
})

/** Immutable by policy, not by rules: those cannot see the dry run of the topology controller (C-41). */
export const clusterTemplateSpec: z.ZodType<CloudSigmaClusterTemplate['spec']> = z.object({
  template: z.object({ metadata: templateMetadata.exactOptional(), spec: z.object(fields) }),
})

export const clusterTemplateStatus: z.ZodType<NonNullable<CloudSigmaClusterTemplate['status']>> = z.object({
  conditions: conditions.exactOptional(),
})
