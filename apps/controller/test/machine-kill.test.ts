import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineKillSuite } from './suites/machine-kill.ts'

machineKillSuite(startSandboxKube)
