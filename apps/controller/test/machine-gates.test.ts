import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineGatesSuite } from './suites/machine-gates.ts'

machineGatesSuite(startSandboxKube)
