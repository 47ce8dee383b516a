import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineFaultsSuite } from './suites/machine-faults.ts'

machineFaultsSuite(startSandboxKube)
