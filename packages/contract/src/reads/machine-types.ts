import type { DecimalText } from '../types.ts'
import type { ListQuery } from './directory-types.ts'

export type MachinesQuery = ListQuery & {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly state?: readonly MachineState[] | undefined
  readonly region?: readonly string[] | undefined
}
export type MachineQuery = { readonly from?: string | undefined; readonly to?: string | undefined }
export type MachineParams = { readonly id: string; readonly machine: string }

export type MachineState = 'running' | 'stopped' | 'deleted'

/** Who bills what a machine uses: the cloud, to the owner of the account it is in, or whoever runs this, on the statement. */
export type SettledBy = 'provider' | 'platform'

/** A virtual machine, and what it used in a window. Quantities are in hours, exact to six places. */
export type MachineJson = {
  /** The cloud's id of the server. */
  readonly id: string
  readonly name: string
  readonly namespace?: string | undefined
  readonly cluster?: string | undefined
  readonly region: string
  /** `owner`: it is in the owner's own account. `platform`: in the platform's. */
  readonly account: 'owner' | 'platform'
  /** Of the cloud: in whose account it is, or for whom it was made. */
  readonly owner?: string | undefined
  readonly state: MachineState
  /** When it was seen in this state. */
  readonly stateAt: string
  /** When it was seen first. */
  readonly since: string
  readonly deletedAt?: string | undefined
  readonly cpuMhz: number
  readonly memoryMib: number
  readonly diskGib: DecimalText
  readonly addresses: number
  /** Hours of the window in which it ran. */
  readonly hours: DecimalText
  /** By meter: `vm_cpu_mhz_hours`, `vm_memory_mib_hours`, `vm_disk_gib_hours`, `vm_ip_hours`. */
  readonly meters: Readonly<Record<string, DecimalText>>
  readonly settledBy: SettledBy
  /** Charged by whoever runs this: part of what is due. */
  readonly amount: DecimalText
  /** At list prices, what the cloud bills the owner itself: a memo, part of no total. */
  readonly memo: DecimalText
  /** Records of the window without a price. */
  readonly held: number
  readonly createdBy?: MachineCreator | undefined
}

export type MachineCreator = {
  readonly controller: string
  /** `CloudSigmaMachine namespace/name`. */
  readonly object: string
  readonly at: string
}

export type MachinesPage = {
  readonly start: string
  readonly end: string
  readonly currency: string
  /** Of all machines of the window, not only of this page. */
  readonly amount: DecimalText
  readonly memo: DecimalText
  readonly data: readonly MachineJson[]
  readonly nextCursor?: string | undefined
}

/** A stretch of a machine's life with one size, an hour at most. */
export type MachineInterval = {
  readonly start: string
  readonly end: string
  /** Whether processor and memory counted. */
  readonly isRunning: boolean
  /** `reported`: known from the cloud. `estimated`: nobody watched, and the cloud could not say. */
  readonly provenance: string
  readonly meters: Readonly<Record<string, DecimalText>>
  /** Of the usage record. */
  readonly record: string
}

/** What was done with a machine in its owner's account. */
export type MachineAct = {
  readonly id: string
  readonly at: string
  readonly endedAt: string
  readonly verb: string
  /** done, refused, failed, not_sent, unknown. */
  readonly outcome: string
  readonly controller: string
  readonly object: string
  readonly cloudRequestId?: string | undefined
  readonly status?: number | undefined
  readonly fault?: string | undefined
}

/** One priced meter of a machine in the window. */
export type MachineLine = {
  readonly meter: string
  readonly quantity: DecimalText
  /** Of one hour of the meter's unit. */
  readonly rate: DecimalText
  readonly amount: DecimalText
  readonly settledBy: SettledBy
}

export type MachineDetail = MachineJson & {
  readonly start: string
  readonly end: string
  readonly currency: string
  readonly lines: readonly MachineLine[]
  /** The newest 500 of the window, newest first. */
  readonly intervals: readonly MachineInterval[]
  /** The newest 100, newest first. */
  readonly acts: readonly MachineAct[]
}
