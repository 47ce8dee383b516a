import { startSandboxKube } from '@ascribe/sandbox/kube'
import { kdcJourney } from './support/kdc-journey.ts'

kdcJourney(() => startSandboxKube())
