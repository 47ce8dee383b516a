import { describe } from 'node:test'
import { bridgeSuite, clusterSuite } from '@ascribe/controller/suites'
import { kube } from './kube/available.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'

// The suites of apps/controller, which run against the scripted API server in `npm test`, against a real one.

const { binaries, skip } = await kube()

async function start(): Promise<ControlPlane> {
  if (binaries === undefined) throw new Error(String(skip))
  return startControlPlane({ binaries, controllerManager: true })
}

describe('on a real kube-apiserver', { skip }, () => {
  bridgeSuite(start)
  clusterSuite(start)
})
