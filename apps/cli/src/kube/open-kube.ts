import { createKubeClient, createKubeConnection } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'
import { InputError } from '@ascribe/kit'
import type { Surroundings } from '../surroundings.ts'

/** Opens the management cluster for one command. @throws {InputError} none is named */
export async function openKube(
  kubeconfig: string | undefined,
  { env, stack }: Pick<Surroundings, 'env'> & { readonly stack: AsyncDisposableStack },
): Promise<KubeClient> {
  const path = kubeconfig ?? (env['KUBECONFIG'] === '' ? undefined : env['KUBECONFIG'])
  if (path === undefined)
    throw new InputError('Cannot tell which management cluster', { hint: 'Say --kubeconfig FILE, or set KUBECONFIG.' })
  return createKubeClient(stack.use(await createKubeConnection({ kubeconfig: path })))
}
