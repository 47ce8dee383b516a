import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineRulesSuite } from './suites/machine-rules.ts'

machineRulesSuite(startSandboxKube)
