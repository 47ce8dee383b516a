import { CLUSTERS, IMPERSONATORS, MACHINES, MACHINE_TEMPLATES, OWNER_BINDINGS } from '@ascribe/kinds'
import { NAMESPACES, isKubeError } from '@ascribe/kube'
import type { KubeClient, KubeConnection } from '@ascribe/kube'
import { KDC_CLUSTERS } from '../bridge/kdc-cluster.ts'
import { ClusterNotReadyError } from './errors.ts'

const CORE_GROUP = 'cluster.x-k8s.io'
/** The newest first; contract v1beta1 goes with Cluster API 1.16. */
const CORE_VERSIONS = ['v1beta2', 'v1beta1'] as const
const OURS = [CLUSTERS, MACHINES, MACHINE_TEMPLATES, IMPERSONATORS, OWNER_BINDINGS]
const DEADLINE_MS = 15_000

type Probe = {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

/** Whether everything is there that the controller works on, and may be read. One short list of each kind. */
export async function checkCluster(
  connection: KubeConnection,
  { namespace, kdcBridge }: { readonly namespace?: string | undefined; readonly kdcBridge: boolean },
): Promise<void> {
  if (kdcBridge && !(await isServed(connection, KDC_CLUSTERS, namespace)))
    throw new ClusterNotReadyError(`Cannot bridge from ${connection.server}: it does not know kdcclusters.k8s.kube-dc.com`, {
      hint: 'Install kube-dc first, or leave --kdc-bridge out.',
    })
  await checkKinds(connection, OURS, namespace)
}

/** Whether kinds are served, and may be read. @throws {ClusterNotReadyError} */
export async function checkKinds(connection: KubeConnection, kinds: readonly Probe[], namespace?: string): Promise<void> {
  const missing: string[] = []
  for (const resource of kinds) if (!(await isServed(connection, resource, namespace))) missing.push(`${resource.plural}.${resource.group}`)
  if (missing.length === 0) return
  throw new ClusterNotReadyError(`Cannot work on ${connection.server}: it does not know ${missing.join(', ')}`, {
    hint: 'Install the definitions: ascribe crds | kubectl apply --server-side -f -   (all of it, with rights: ascribe manifests)',
  })
}

/** One of them stands for all: they are installed together. */
const POLICY = 'ascribe-protected-annotations'

/**
 * Whether the admission policies are in force: without them whoever may write a machine may write what the controller relies on. `undefined`
 * where we may not look, or where it cannot be told now.
 */
export async function hasPolicies(connection: KubeConnection): Promise<boolean | undefined> {
  try {
    await connection.send({
      method: 'GET',
      path: `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/${POLICY}`,
      operation: 'get validatingadmissionpolicybindings.admissionregistration.k8s.io',
      deadlineMs: DEADLINE_MS,
    })
    return true
  } catch (error) {
    return isKubeError(error) && error.status === 404 ? false : undefined
  }
}

/** The version of Cluster API that is served. @throws {ClusterNotReadyError} when none is */
export async function coreVersion(connection: KubeConnection, { namespace }: { readonly namespace?: string | undefined }): Promise<string> {
  for (const version of CORE_VERSIONS) {
    const probe = { group: CORE_GROUP, version, plural: 'clusters', kind: 'Cluster', namespaced: true }
    if (await isServed(connection, probe, namespace)) return version
  }
  throw new ClusterNotReadyError(
    `Cannot work on ${connection.server}: Cluster API is not installed (no clusters.${CORE_GROUP} in ${CORE_VERSIONS.join(' or ')})`,
    {
      hint: 'Install its core: clusterctl init.',
    },
  )
}

async function isServed(connection: KubeConnection, probe: Probe, namespace: string | undefined): Promise<boolean> {
  const scope = namespace === undefined || !probe.namespaced ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  try {
    await connection.send({
      method: 'GET',
      path: `/apis/${probe.group}/${probe.version}${scope}/${probe.plural}`,
      query: { limit: 1 },
      operation: `list ${probe.plural}.${probe.group}`,
      deadlineMs: DEADLINE_MS,
    })
    return true
  } catch (error) {
    if (isKubeError(error) && error.status === 404) return false
    throw asStart(error, connection)
  }
}

/** What somebody has to mend is said as such; what is a moment's trouble stays what it is. */
function asStart(error: unknown, { server }: KubeConnection): unknown {
  if (isKubeError(error, 'Forbidden'))
    return new ClusterNotReadyError(error.message, {
      cause: error,
      hint: 'The rights that the controller needs: ascribe manifests | kubectl apply --server-side -f -',
    })
  if (isKubeError(error, 'Unauthorized'))
    return new ClusterNotReadyError(`Cannot work on ${server}: it does not accept the credentials of the kubeconfig`, {
      cause: error,
      hint: 'See whether `kubectl get namespaces` works with the same file.',
    })
  if (isKubeError(error, 'Network', 'Deadline'))
    return new ClusterNotReadyError(`Cannot work on ${server}: nobody answers there`, {
      cause: error,
      hint: 'Is it running, and is it the right context of the kubeconfig?',
    })
  return error
}

/** Our own namespace: of the Lease, of the key, and of the client's Secret. Made where we may. */
export async function ensureNamespace(kube: KubeClient, name: string): Promise<void> {
  try {
    if ((await kube.tryGet(NAMESPACES, { name })) !== undefined) return
    await kube.create(NAMESPACES, { metadata: { name } })
  } catch (error) {
    if (isKubeError(error, 'AlreadyExists')) return
    if (!isKubeError(error, 'Forbidden')) throw error
    throw new ClusterNotReadyError(`Cannot use namespace ${name}: it does not exist, or the controller may not look at it`, {
      cause: error,
      hint: `kubectl create namespace ${name}   (or all of it: ascribe manifests | kubectl apply --server-side -f -)`,
    })
  }
}
