import { describe } from 'node:test'
import { controllerSuite } from '../support/controller-suite.ts'
import type { KubeForController } from '../support/controller-world.ts'
import { kdcJourney } from '../support/kdc-journey.ts'
import { kube } from './kube/available.ts'
import { installKinds } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'

// `ascribe controller` as a process on a real kube-apiserver, with everything that `ascribe manifests` prints, policies included, and with no
// other rights than its ServiceAccount has; its tokens are minted by `ascribe minter`, which has its own.

const { binaries, skip } = await kube()

async function start(): Promise<KubeForController> {
  if (binaries === undefined) throw new Error(String(skip))
  await using stack = new AsyncDisposableStack()
  const plane = stack.use(await startControlPlane({ binaries, controllerManager: true }))
  await installKinds(plane, { kdcBridge: true })
  const { kubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-controller')
  const { kubeconfig: minterKubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-minter')
  const held = stack.move()
  return {
    kubeconfig: plane.kubeconfig,
    controllerKubeconfig: kubeconfig,
    minterKubeconfig,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

describe('a process on a real kube-apiserver', { skip }, () => {
  kdcJourney(start)
  controllerSuite(start)
})
