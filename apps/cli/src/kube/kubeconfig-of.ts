import { InputError } from '@ascribe/kit'
import type { Surroundings } from '../surroundings.ts'

/** Path of the kubeconfig that a process works with; `undefined`: it is in a pod. @throws {InputError} when there is neither */
export function kubeconfigOf(said: string | undefined, env: Surroundings['env']): string | undefined {
  const kubeconfig = said ?? (env['KUBECONFIG'] === '' ? undefined : env['KUBECONFIG'])
  if (kubeconfig === undefined && env['KUBERNETES_SERVICE_HOST'] === undefined)
    throw new InputError('Cannot find a management cluster: no kubeconfig is named, and this is no pod of one', {
      hint: 'Say --kubeconfig FILE, or set KUBECONFIG.',
    })
  return kubeconfig
}
