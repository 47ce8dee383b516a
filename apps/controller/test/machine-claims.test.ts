import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineClaimsSuite } from './suites/machine-claims.ts'

machineClaimsSuite(startSandboxKube)
