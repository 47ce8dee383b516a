import { after, before, describe } from 'node:test'
import {
  machineClaimsSuite,
  machineFaultsSuite,
  machineGatesSuite,
  machineKillSuite,
  machineLifeSuite,
  machineRulesSuite,
  machineTakeoverSuite,
} from '@ascribe/controller/suites'
import { kube } from './kube/available.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'

// The suites of machines, which run against the scripted API server in `npm test`, against a real one: one for all, emptied before each test.

const { binaries, skip } = await kube()

let plane: ControlPlane | undefined

async function same(): Promise<{ readonly kubeconfig: string } & AsyncDisposable> {
  if (plane === undefined) throw new Error(String(skip))
  return { kubeconfig: plane.kubeconfig, [Symbol.asyncDispose]: async () => {} }
}

describe('on a real kube-apiserver', { skip }, () => {
  before(async () => {
    if (binaries !== undefined) plane = await startControlPlane({ binaries, controllerManager: true })
  })
  after(async () => plane?.[Symbol.asyncDispose]())
  machineLifeSuite(same)
  machineGatesSuite(same)
  machineRulesSuite(same)
  machineTakeoverSuite(same)
  machineFaultsSuite(same)
  machineClaimsSuite(same)
  // Each call is killed at by the scripted server's run; here every third one.
  machineKillSuite(same, { stride: 3 })
})
