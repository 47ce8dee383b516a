import type { KubeClient } from '@ascribe/kube'

/** A management cluster, and how a mail address becomes a user of the cloud. */
export type ClusterBackend = {
  readonly kube: KubeClient
  /** Name of the CloudSigmaImpersonator that bindings name. */
  readonly impersonator: string
  /** Where the controller is. */
  readonly installedIn: string
  /** Mints for the address and asks the cloud who that is. @throws {AscribeError} */
  readonly discover: (wanted: {
    readonly email: string
    readonly region: string
    readonly requester: string
    readonly object: string
  }) => Promise<{ readonly userUUID: string }>
}
