import type { RegionTable } from '@ascribe/impersonation'
import { IMPERSONATORS } from '@ascribe/kinds'
import type { KubeClient } from '@ascribe/kube'
import { readCredentials } from './client-secrets.ts'
import { impersonatorOf } from './impersonator-facts.ts'
import type { ImpersonatorOptions } from './impersonator-facts.ts'
import { ENVIRONMENT } from './snapshot.ts'
import type { EnvironmentClient } from './token-sources.ts'

/**
 * - `client`: as the controller would use it for a binding that names it. `allows`: its allow-list of namespaces.
 * - `environment`: there is no Impersonator at all, and the binding names the settings of whoever looks.
 * - `refused`: the controller would not act either, and why.
 */
export type ReadImpersonator =
  | { readonly kind: 'client'; readonly client: EnvironmentClient; readonly allows: boolean }
  | { readonly kind: 'environment' }
  | { readonly kind: 'refused'; readonly why: string }

export type ReadImpersonatorRequest = ImpersonatorOptions & {
  readonly name: string
  /** Whose objects are to be acted for. */
  readonly namespace: { readonly name: string; readonly uid: string; readonly labels: Readonly<Record<string, string>> }
}

/**
 * Reads a CloudSigmaImpersonator and its Secret once, with the rights of whoever asks: for commands, which have no caches.
 * @throws {KubeError}; {ClientSecretError} that names the Secret and never a value; what an issuer that cannot be used throws
 */
export async function readImpersonator(
  kube: Pick<KubeClient, 'get' | 'tryGet' | 'list'>,
  { name, namespace, ...options }: ReadImpersonatorRequest,
): Promise<ReadImpersonator> {
  const object = await kube.tryGet(IMPERSONATORS, { name })
  if (object === undefined) {
    const isGoverned = name !== ENVIRONMENT || (await kube.list(IMPERSONATORS)).items.length > 0
    return isGoverned ? { kind: 'refused', why: `CloudSigmaImpersonator ${name} does not exist` } : { kind: 'environment' }
  }
  const impersonator = impersonatorOf(object, options)
  if (impersonator.isDeleting) return { kind: 'refused', why: `CloudSigmaImpersonator ${name} is being deleted` }
  const issuer = impersonator.issuer()
  const { clientId, secret } = await readCredentials(kube, impersonator.clientSecretRef)
  const regions: RegionTable = impersonator.regions
  return { kind: 'client', client: { issuer, clientId, secret: async () => secret, regions }, allows: impersonator.allows(namespace) }
}
