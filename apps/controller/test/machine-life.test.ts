import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineLifeSuite } from './suites/machine-life.ts'

machineLifeSuite(startSandboxKube)
