export { apiVersionOf, controllerOf, isBeingDeleted, keyOf, keyText, parseKey } from './objects.ts'
export type { AnyObject, KubeObject, ObjectKey, ObjectMeta, OwnerReference, Resource } from './objects.ts'
export { EVENTS, LEASES, NAMESPACES, SECRETS } from './resources.ts'
export type { KubeEvent, Lease, Namespace, ObjectReference, Secret } from './resources.ts'
export { CacheSyncError, FencedError, KubeConfigError, KubeError, LeadershipLostError, TerminalError, isKubeError } from './errors.ts'
export type { KubeFault, KubeReason } from './errors.ts'
export { systemClocks, waitFor } from './clocks.ts'
export type { Clocks } from './clocks.ts'
export type { KubeAnswer, KubeConnection, KubeRequest, KubeStream, StreamRequest } from './connection/types.ts'
export type {
  AccessReview,
  AccessReviewSpec,
  ApplyOptions,
  DeleteOptions,
  Draft,
  JsonPatchOperation,
  KubeCallOptions,
  KubeClient,
  KubeList,
  ListOptions,
  Patch,
  TokenReview,
  WriteOptions,
} from './client/types.ts'
export type { Change, Indexes, Informer, InformerOptions, Informers } from './cache/types.ts'
export type { Controller, EnqueueOptions, Reconcile, ReconcileContext, Result, WatchOptions } from './controller/types.ts'
export type { Fence, LeaderElection } from './election/types.ts'
export type { EventNote, EventRecorder } from './events/types.ts'
export { createKubeConnection } from './connection/connection.ts'
export type { KubeConnectionOptions } from './connection/connection.ts'
export { createKubeClient } from './client/client.ts'
export { createInformers } from './cache/informers.ts'
export type { InformersOptions } from './cache/informers.ts'
export { createController } from './controller/controller.ts'
export type { ControllerOptions } from './controller/controller.ts'
export { openFence } from './election/fence.ts'
export { createLeaderElection } from './election/lease-election.ts'
export type { LeaderElectionOptions } from './election/lease-election.ts'
export { createEventRecorder } from './events/recorder.ts'
export type { EventRecorderOptions } from './events/recorder.ts'
