import { startSandboxKube } from '@ascribe/sandbox/kube'
import { controllerSuite } from './support/controller-suite.ts'

controllerSuite(() => startSandboxKube())
