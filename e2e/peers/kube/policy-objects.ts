import { API_VERSION } from '@ascribe/kinds'
import type { Located } from './install-kinds.ts'

// What somebody tries to write where our policies are in force.

/** The namespace of the tenant. */
export const NAMESPACE = 'tenant-a'
export const UUID = 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10'

type Parts = {
  readonly name?: string
  readonly annotations?: Record<string, string>
  readonly finalizers?: readonly string[]
  readonly spec?: object
}
type WithSpec = Located & { readonly spec: object }

let made = 0

/** An object of ours in the tenant's namespace, under a name that no other has. */
export function object(kind: string, { name, spec, ...metadata }: Parts, base: object): WithSpec {
  made += 1
  return {
    apiVersion: API_VERSION,
    kind,
    metadata: { name: name ?? `object-${made}`, namespace: NAMESPACE, ...metadata },
    spec: { ...base, ...spec },
  }
}

export const machine = (parts: Parts): WithSpec => object('CloudSigmaMachine', parts, { cpu: 4000, memory: 4096 })

export const cluster = (parts: Parts): WithSpec => object('CloudSigmaCluster', parts, { region: 'zrh' })

export const kdc = (parts: Parts): WithSpec => ({
  ...object('KdcCluster', parts, { workers: [] }),
  apiVersion: 'k8s.kube-dc.com/v1alpha1',
})

export const template = (parts: Parts): WithSpec => ({
  ...object('CloudSigmaMachineTemplate', {}, {}),
  spec: { template: { spec: { cpu: 4000, memory: 4096, ...parts.spec } } },
})

export const binding = (name: string, spec: object = {}): WithSpec => ({
  apiVersion: API_VERSION,
  kind: 'CloudSigmaOwnerBinding',
  metadata: { name },
  spec: {
    namespaceRef: { name: NAMESPACE, uid: UUID },
    subject: { userUUID: UUID, emailAtBinding: 'Ada@example.com' },
    impersonatorRef: { name: 'cloudsigma' },
    evidence: { type: 'AdminAssertion' },
    ...spec,
  },
})
