import type { CloudSigma, Drive, Server } from '@ascribe/cloudsigma'
import type { CloudSigmaMachine, MachineSpec } from '@ascribe/kinds'
import type { EventNote, Fence, KubeClient, Result } from '@ascribe/kube'
import type { SandboxCloud } from '@ascribe/sandbox'
import type { Act, Acts, Lives } from '../../src/accounts/types.ts'
import type { AccountPin } from '../../src/authority/pin.ts'
import type { Authority, Selection } from '../../src/authority/types.ts'
import { capiResources } from '../../src/machine/capi.ts'
import type { CapiResources } from '../../src/machine/capi.ts'
import type { MachineDeps } from '../../src/machine/deps.ts'

export const NAMESPACE = 'tenant-a'
export const REGION = 'zrh'
export const GRACE_MS = 30_000
export const CAPI: CapiResources = capiResources()

/** A process of the controller that may die: from then on nothing that it asks for is sent or comes back. */
export type Process = {
  /** One run for one machine; `undefined` when the process died in it. */
  reconcile(name: string): Promise<Result | undefined>
  /** Fills the cache now, and leaves it as it then is. */
  freeze(): Promise<void>
  /** Calls of both APIs so far, `cloud create` and the like, in order. */
  readonly calls: readonly string[]
  readonly isDead: boolean
}

export type ProcessOptions = {
  /** Dies at this call, counted from 0. */
  readonly dieAt?: number
  /** `before` it is sent, or `after` it took effect and before the answer came. */
  readonly dieWhen?: 'before' | 'after'
  readonly authority?: Partial<Authority>
  /** How an act is done, in place of doing it. */
  readonly perform?: Acts['perform']
  readonly lives?: Lives
  readonly fence?: Fence
  readonly deps?: Partial<MachineDeps>
}

export type MachineWorldUnderTest = AsyncDisposable & {
  readonly cloud: SandboxCloud
  readonly kube: KubeClient
  readonly owner: { readonly email: string; readonly uuid: string }
  readonly image: string
  readonly vlan: string
  /** The owner's own look at the cloud, without lag in time: the clock is moved first. */
  readonly eyes: CloudSigma
  readonly events: EventNote[]
  readonly acts: Act[]
  pin: AccountPin
  selection: Selection | undefined
  process(options?: ProcessOptions): Process
  /** Machine, Cluster and the rest, as Cluster API makes them. */
  addMachine(name: string, spec?: Partial<MachineSpec>): Promise<void>
  machine(name: string): Promise<CloudSigmaMachine | undefined>
  annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void>
  /** Reconciles, moves time on, and again, until the condition holds. */
  until(process: Process, name: string, done: (machine: CloudSigmaMachine | undefined) => boolean): Promise<CloudSigmaMachine | undefined>
  running(process: Process, name: string): Promise<CloudSigmaMachine>
  deleted(process: Process, name: string): Promise<void>
  advance(ms: number): void
  servers(): Promise<readonly Server[]>
  drives(): Promise<readonly Drive[]>
  now(): number
}
