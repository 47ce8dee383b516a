import { crds } from '../crds.ts'
import type { Manifest } from '../manifest.ts'
import { DEFAULT_CLIENT_SECRET, DEFAULT_NAMESPACE } from '../names.ts'
import { policies } from '../policy/policies.ts'
import { PROVIDER_LABELS } from '../provider.ts'
import { rights } from './rights.ts'
import { workload } from './workload.ts'
import type { WorkloadOptions } from './workload.ts'

/** Everything that `kubectl apply` needs, in the order in which it can be applied. Secrets are for people to make. */
export function manifests(options: WorkloadOptions = {}): readonly Manifest[] {
  const { namespace = DEFAULT_NAMESPACE, kdcBridge = false, clientSecret = DEFAULT_CLIENT_SECRET } = options
  return [
    namespaceManifest(namespace),
    ...crds(),
    ...policies({ namespace }),
    ...rights({ namespace, kdcBridge, clientSecret }),
    ...workload(options),
  ]
}

/** With the strictest of the pod security standards, which the controller meets. */
export function namespaceManifest(namespace: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { ...PROVIDER_LABELS, 'pod-security.kubernetes.io/enforce': 'restricted' } },
  }
}
