import { startSandboxKube } from '@ascribe/sandbox/kube'
import { clusterSuite } from './suites/cluster-suite.ts'

clusterSuite(() => startSandboxKube())
