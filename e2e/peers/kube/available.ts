import { PeerUnavailable } from '../support/unavailable.ts'
import { installClusterApi, installHelm, installKube } from './install.ts'
import type { ClusterApiBinaries, KubeBinaries } from './install.ts'

/** The programs of a control plane, or the reason for which they are not there. */
export type KubeAvailable = { readonly binaries: KubeBinaries | undefined; readonly skip: string | false }

export type ClusterApiAvailable = { readonly clusterApi: ClusterApiBinaries | undefined; readonly skip: string | false }

/** Installs them unless they are there: minutes, once. */
export async function kube(): Promise<KubeAvailable> {
  try {
    return { binaries: await installKube(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { binaries: undefined, skip: error.message }
    throw error
  }
}

/** Cluster API's core manager and clusterctl: a minute and a half, once. */
export async function clusterApi(): Promise<ClusterApiAvailable> {
  try {
    return { clusterApi: await installClusterApi(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { clusterApi: undefined, skip: error.message }
    throw error
  }
}

/** helm: two minutes, once. */
export async function helm(): Promise<{ readonly helm: string; readonly skip: string | false }> {
  try {
    return { helm: await installHelm(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { helm: '', skip: error.message }
    throw error
  }
}
