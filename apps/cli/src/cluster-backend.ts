import type { ClusterBackend } from '@ascribe/api'
import { openMinterChannel } from '@ascribe/controller'
import { createRemoteTokenSource, createTokenSource } from '@ascribe/impersonation'
import type { TokenSource } from '@ascribe/impersonation'
import { InputError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { createKubeClient, createKubeConnection } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'
import { tryLock } from '@ascribe/service'
import { cloudAccessOf, regionsOf, transportOf } from './cloud/cloud-access.ts'
import { minterAddressOf } from './cloud/minter-address.ts'
import { createMintLog } from './cloud/mint-log.ts'
import { shareDiscoveries } from './cloud/shared-discovery.ts'
import type { Context } from './context.ts'

export type ClusterBackendOptions = { readonly stack: AsyncDisposableStack; readonly logger: Logger; readonly meters: Meters }
type Settings = Pick<Context, 'config' | 'dir'>

/** Opens the management cluster that the settings name; `undefined`: none. @throws {InputError | KubeConfigError} */
export async function openClusterBackend(settings: Settings, options: ClusterBackendOptions): Promise<ClusterBackend | undefined> {
  const { kubeconfig, impersonator, namespace } = settings.config.clusters
  if (kubeconfig === undefined) return undefined
  const { stack, meters } = options
  const connection = stack.use(
    await createKubeConnection({ ...(kubeconfig === 'in-cluster' ? { inCluster: true } : { kubeconfig }), meters }),
  )
  const kube = createKubeClient(connection)
  const source = stack.use(openSource(settings, { ...options, kube }))
  return { kube, impersonator, installedIn: namespace, discover: shareDiscoveries(source) }
}

/** Of this process, or of the minter, which then writes the trail too. */
function openSource(
  { config, dir }: Settings,
  { stack, logger, kube }: ClusterBackendOptions & { readonly kube: Pick<KubeClient, 'get'> },
): TokenSource {
  const { impersonator, namespace } = config.clusters
  const address = minterAddressOf(config.cloud)
  if (address !== undefined) {
    const channel = stack.use(openMinterChannel(address, { kube, namespace }))
    const regions = regionsOf(config.cloud)
    return createRemoteTokenSource({ channel, impersonator, regions, audit: async () => {}, logger, limits: { sweepMs: 0 } })
  }
  const access = cloudAccessOf(config.cloud)
  if (access.mode !== 'impersonation') {
    throw new InputError('Cannot make clusters of customers in the legacy mode: everything would be made in one account', {
      hint: 'Leave CLOUDSIGMA_IMPERSONATION_ENABLED out, or clusters.kubeconfig.',
    })
  }
  const transport = stack.use(transportOf(access))
  return createTokenSource({ ...access, audit: createMintLog(dir.mintLog, tryLock), transport, logger, limits: { sweepMs: 0 } })
}
