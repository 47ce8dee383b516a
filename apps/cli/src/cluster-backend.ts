import type { ClusterBackend } from '@ascribe/api'
import { createTokenSource } from '@ascribe/impersonation'
import { InputError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { createKubeClient, createKubeConnection } from '@ascribe/kube'
import { tryLock } from '@ascribe/service'
import { cloudAccessOf, transportOf } from './cloud/cloud-access.ts'
import { createMintLog } from './cloud/mint-log.ts'
import { shareDiscoveries } from './cloud/shared-discovery.ts'
import type { Context } from './context.ts'

export type ClusterBackendOptions = { readonly stack: AsyncDisposableStack; readonly logger: Logger; readonly meters: Meters }

/** Opens the management cluster that the settings name; `undefined`: none. @throws {InputError | KubeConfigError} */
export async function openClusterBackend(
  { config, dir }: Pick<Context, 'config' | 'dir'>,
  { stack, logger, meters }: ClusterBackendOptions,
): Promise<ClusterBackend | undefined> {
  const { kubeconfig, impersonator, namespace } = config.clusters
  if (kubeconfig === undefined) return undefined
  const access = cloudAccessOf(config.cloud)
  if (access.mode !== 'impersonation') {
    throw new InputError('Cannot make clusters of customers in the legacy mode: everything would be made in one account', {
      hint: 'Leave CLOUDSIGMA_IMPERSONATION_ENABLED out, or clusters.kubeconfig.',
    })
  }
  const connection = stack.use(
    await createKubeConnection({ ...(kubeconfig === 'in-cluster' ? { inCluster: true } : { kubeconfig }), meters }),
  )
  const transport = transportOf(access)
  stack.defer(() => transport[Symbol.dispose]())
  const source = createTokenSource({ ...access, audit: createMintLog(dir.mintLog, tryLock), transport, logger, limits: { sweepMs: 0 } })
  stack.defer(() => source[Symbol.dispose]())
  return {
    kube: createKubeClient(connection),
    impersonator,
    installedIn: namespace,
    discover: shareDiscoveries(source),
  }
}
