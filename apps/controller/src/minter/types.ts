import { MINTER } from '@ascribe/kinds'
import type { HostPort } from '@ascribe/service'
import type { AuditSink } from '@ascribe/impersonation'
import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks } from '@ascribe/kube'
import type { CloudFromEnvironment } from '../process/settings.ts'

/** Whom a caller's token must be meant for. */
export const MINTER_AUDIENCE: string = MINTER

/** Who asks, by the word of the API server or of the socket's file, and what for. */
export type MinterCaller = {
  /** `system:serviceaccount:NAMESPACE:NAME`, or `socket`; stands in the trail. */
  readonly name: string
  /** Tokens of bound owners. */
  readonly mayMint: boolean
  /** Who stands behind an address, with no token. */
  readonly mayDiscover: boolean
}

export type MinterReply = { readonly status: number; readonly body: string }

export type MinterSettings = {
  /** Path; absent: in the cluster, by our service account. */
  readonly kubeconfig?: string | undefined
  /** Ours: of the client's Secret, and of the service accounts that may ask. */
  readonly systemNamespace: string
  /** Over TLS, for service accounts of the management cluster. */
  readonly listen?: HostPort | undefined
  /** For processes of the same user on this machine. */
  readonly socketPath?: string | undefined
  readonly health: HostPort
  readonly metrics: HostPort
}

export type MinterDeps = {
  readonly cloud: Pick<CloudFromEnvironment, 'environment' | 'ca' | 'refuseIssuer'>
  /** Stores a record of every token before it is handed out. */
  readonly audit: AuditSink
  readonly logger: Logger
  readonly meters: Meters & { render(): string }
  readonly clocks?: Clocks
}
