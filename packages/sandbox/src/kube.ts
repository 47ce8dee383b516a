export { startSandboxKube } from './kube/start-kube.ts'
export type {
  KubeFault,
  KubeFaultEffect,
  KubeFaultMatch,
  KubeLogEntry,
  KubeUnderTest,
  KubeUser,
  KubeVerb,
  SandboxKube,
  SandboxKubeOptions,
  WatchEnd,
} from './kube/types.ts'
