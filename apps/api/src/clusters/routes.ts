import { createCluster } from '@ascribe/contract/writes'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { Route } from '../handler.ts'
import type { ClusterBackend } from './backend.ts'

/**
 * `POST /v1/clusters`: whoever asks becomes the owner, by the word of the identity provider and nobody else's; the binding first, then the
 * KdcCluster that names him.
 */
export function clusterRoutes(backend: ClusterBackend | undefined): readonly Route[] {
  return [
    organizationRoute(createCluster, async (context, { body }) => {
      if (backend === undefined)
        throw new Refusal('unavailable', 'No management cluster is configured here: whoever runs this sets clusters.kubeconfig.')
      // Loaded when it is needed: what talks to Kubernetes is not for installations that have none.
      return (await import('./create-cluster.ts')).create(backend, context, body)
    }),
  ]
}
