import { z } from 'zod'

/** The management cluster in which customers make clusters of their own, through `POST /v1/clusters`. */
export type ClusterSettings = {
  /** A file, or `in-cluster`: the service account of the pod. Absent: none are made. */
  readonly kubeconfig?: string | undefined
  /** The CloudSigmaImpersonator that bindings name. */
  readonly impersonator: string
  /** Where the controller is. */
  readonly namespace: string
}

const name = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'must be the name of an object of Kubernetes')

export const ClusterSchema: z.ZodType<ClusterSettings, unknown> = z
  .strictObject({
    kubeconfig: z.string().min(1).optional(),
    impersonator: name.default('default'),
    namespace: name.default('ascribe-system'),
  })
  .prefault({})
