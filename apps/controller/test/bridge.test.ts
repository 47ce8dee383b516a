import { startSandboxKube } from '@ascribe/sandbox/kube'
import { bridgeSuite } from './suites/bridge-suite.ts'

bridgeSuite(() => startSandboxKube())
