import { startSandboxKube } from '@ascribe/sandbox/kube'
import { machineTakeoverSuite } from './suites/machine-takeover.ts'

machineTakeoverSuite(startSandboxKube)
