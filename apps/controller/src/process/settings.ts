import type { AuditSink, RegionTable } from '@ascribe/impersonation'
import type { JournalWriter } from '@ascribe/journal'
import type { AccountLimits } from '@ascribe/kinds'
import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks } from '@ascribe/kube'
import type { BasicCredentials } from '../authority/basic-account.ts'
import type { BrokerListener } from '../broker/start-broker.ts'
import type { EnvironmentClient, EnvironmentPlace } from '../authority/token-sources.ts'

/** What the process is told. Durations are milliseconds. */
export type ControllerSettings = {
  /** Path; absent: in the cluster, by our service account. */
  readonly kubeconfig?: string | undefined
  /** Only this namespace. Default: all. */
  readonly namespace?: string | undefined
  readonly watchFilter?: string | undefined
  /** How often all is looked at. Default 60 s. */
  readonly syncMs: number
  /** How long something that was made may be missing from the cloud's lists. Default 30 s. */
  readonly listGraceMs: number
  /** Machines at a time. */
  readonly concurrency: number
  readonly leaderElect: boolean
  readonly kdcBridge: boolean
  /** Ours: of the Lease, the proof key, the client's Secret and orphan records. */
  readonly systemNamespace: string
  /** Of this process in the Lease and in acts; unique. */
  readonly identity: string
  /** Where programs of clusters ask for the cloud. Absent: nowhere. */
  readonly broker?: BrokerListener | undefined
  readonly health: { readonly host: string; readonly port: number }
  readonly metrics: { readonly host: string; readonly port: number }
}

/** The cloud as the environment has it: in the place of Impersonators, of the legacy mode, and of the platform's account. */
export type CloudFromEnvironment = {
  readonly environment?: EnvironmentClient | EnvironmentPlace | undefined
  /** Where tokens are minted, if not here. A URL's certificate is in a ConfigMap of our namespace. */
  readonly minter?: MinterAddress | undefined
  readonly legacy?: { readonly credentials: BasicCredentials; readonly regions: RegionTable; readonly isChosen: boolean } | undefined
  readonly platform?: BasicCredentials | undefined
  /** Of each namespace in those two accounts, which have no binding that says so (H-13). */
  readonly limits?: AccountLimits | undefined
  /** PEM of the authorities to trust instead of the machine's. */
  readonly ca?: string | undefined
  /** Why an authorization server may not be used. */
  readonly refuseIssuer?: ((url: string) => string | undefined) | undefined
}

/** The process that holds the client secret: a socket of this machine, or a URL with the token that this process shows there. */
export type MinterAddress = { readonly socketPath: string } | { readonly url: string; readonly tokenFile: string }

export type ControllerDeps = {
  readonly cloud: CloudFromEnvironment
  /** Of acts and of machines' lives. The caller's to close, after the controller. */
  readonly journal: JournalWriter
  /** Stores a record of every token before it is handed out. */
  readonly audit: AuditSink
  /** File that `audit` writes, of which owners are told the count of each day. Default: they are not. */
  readonly mintTrail?: string | undefined
  readonly logger: Logger
  readonly meters: Meters & { render(): string }
  readonly clocks?: Clocks
}
