import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks, Informer, KubeClient } from '@ascribe/kube'
import type { Acts } from '../accounts/types.ts'
import type { Authority } from '../authority/types.ts'

/** Whom a program's token must be meant for. */
export const BROKER_AUDIENCE = 'ascribe-broker'

/** What a program of a cluster may ask: one table of methods and paths each. */
export type BrokerProfile = 'cloud-controller' | 'storage'

export type BrokerDeps = {
  readonly kube: Pick<KubeClient, 'reviewToken'>
  readonly clusters: Pick<Informer<CloudSigmaCluster>, 'get'>
  readonly machines: Pick<Informer<CloudSigmaMachine>, 'list'>
  readonly authority: Pick<Authority, 'authorize' | 'cloudFor' | 'limits' | 'explain'>
  readonly acts: Acts
  /** Key of the marks on volumes: that of the proofs on servers. */
  readonly proofKey: string
  /** How long something that was made may be missing from the cloud's lists. Default 30 s. */
  readonly listGraceMs?: number
  readonly clocks: Clocks
  readonly logger: Logger
  readonly meters: Meters
}

/** A request as it arrived. */
export type BrokerRequest = {
  readonly method: string
  /** Path and query, as sent. */
  readonly url: string
  readonly authorization: string | undefined
  /** Bytes of the body, at most 64 KiB. */
  readonly body: string
}

export type BrokerReply = { readonly status: number; readonly body: unknown; readonly retryAfterS?: number }

/** Who calls: a service account, through a token that is bound to one of its pods. */
export type Caller = {
  readonly namespace: string
  readonly serviceAccount: string
  readonly uid: string
  readonly pod: string
}
