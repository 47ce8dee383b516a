import { ANNOTATIONS, MACHINES } from '@ascribe/kinds'
import type { AccountLimits, CloudSigmaMachine } from '@ascribe/kinds'
import type { Informers } from '@ascribe/kube'
import { AuthorityError } from './errors.ts'
import { parsePin } from './pin.ts'
import type { AccountPin } from './pin.ts'
import type { Demand, LimitsReport } from './types.ts'

/** What may be taken, by whose word, and where that word stands. */
export type Bound = { readonly limits: AccountLimits; readonly by: string; readonly field: string }

/** Counts what the machines of a namespace take of one account, those that were let in a moment ago included. */
export type Ledger = {
  admit(pin: AccountPin, demand: Demand, bound: Bound): AuthorityError | undefined
  report(pin: AccountPin, namespace: string, limits: AccountLimits): LimitsReport
  /** Machines that are pinned to this user in this namespace: whoever they are, they need the binding. */
  machinesOf(namespace: string, userUUID: string): readonly CloudSigmaMachine[]
}

const BY_ACCOUNT = 'authority-account'

export function createLedger(informers: Informers): Ledger {
  const machines = informers.informer<CloudSigmaMachine>(MACHINES, { indexes: { [BY_ACCOUNT]: accountKeys } })
  /** Let in by this process and not yet gone; the cache may not show it yet. By account, then by uid of the machine. */
  const admitted = new Map<string, Map<string, Demand>>()
  machines.onChange(({ type, object }) => {
    if (type !== 'deleted') return
    for (const [key, demands] of admitted) {
      demands.delete(object.metadata.uid ?? '')
      if (demands.size === 0) admitted.delete(key)
    }
  })

  const counted = (pin: AccountPin, namespace: string, except: Demand | undefined): readonly Demand[] => {
    const key = accountKey(namespace, pin)
    const mine = machines.byIndex(BY_ACCOUNT, key)
    const own = except === undefined ? undefined : machines.get({ namespace, name: except.name })
    const demands = new Map(admitted.get(key))
    for (const machine of mine) {
      const demand = demandOf(machine)
      if (demands.has(demand.uid) || hasServer(machine)) demands.set(demand.uid, demand)
      // What was to be made when the last process ended may have been made: older ones come first, or nobody would be let in.
      else if (own === undefined || isOlder(machine, own)) demands.set(demand.uid, demand)
    }
    if (except !== undefined) demands.delete(except.uid)
    return [...demands.values()]
  }

  return {
    admit(pin, demand, { limits, by, field: place }) {
      const used = sumOf(counted(pin, demand.namespace, demand))
      const wanted = { servers: 1, cpuMhz: demand.cpuMhz, memoryMib: demand.memoryMib, drives: demand.drives }
      for (const [name, field, unit] of LIMITS) {
        const limit = limits[name]
        if (limit === undefined || used[field] + wanted[field] <= limit) continue
        return new AuthorityError(
          `Cannot make machine ${demand.namespace}/${demand.name}: ${by} allows ${limit}${unit} (${place}.${name}), ${used[field]} are taken and this one needs ${wanted[field]}`,
          { reason: 'QuotaExceeded', retryAfterMs: QUOTA_LOOK_MS },
        )
      }
      const key = accountKey(demand.namespace, pin)
      const mine = admitted.get(key) ?? new Map<string, Demand>()
      admitted.set(key, mine.set(demand.uid, demand))
      return undefined
    },
    report(pin, namespace, limits) {
      const used = sumOf(counted(pin, namespace, undefined))
      return {
        servers: { limit: limits.maxServers, used: used.servers },
        cpuMhz: { limit: limits.maxCPU, used: used.cpuMhz },
        memoryMib: { limit: limits.maxMemory, used: used.memoryMib },
        drives: { limit: limits.maxDrives, used: used.drives },
      }
    },
    machinesOf: (namespace, userUUID) => machines.byIndex(BY_ACCOUNT, accountKey(namespace, { kind: 'Owner', userUUID })),
  }
}

/** Machines come and go, and limits are raised: both are changes that wake; this is for what nobody tells of. */
const QUOTA_LOOK_MS = 60_000

const LIMITS = [
  ['maxServers', 'servers', ' machines'],
  ['maxCPU', 'cpuMhz', ' MHz'],
  ['maxMemory', 'memoryMib', ' MiB'],
  ['maxDrives', 'drives', ' drives'],
] as const

type Sum = { readonly servers: number; readonly cpuMhz: number; readonly memoryMib: number; readonly drives: number }

function sumOf(demands: readonly Demand[]): Sum {
  return demands.reduce<Sum>(
    (sum, { cpuMhz, memoryMib, drives }) => ({
      servers: sum.servers + 1,
      cpuMhz: sum.cpuMhz + cpuMhz,
      memoryMib: sum.memoryMib + memoryMib,
      drives: sum.drives + drives,
    }),
    { servers: 0, cpuMhz: 0, memoryMib: 0, drives: 0 },
  )
}

function accountKey(namespace: string, { kind, userUUID }: Pick<AccountPin, 'kind' | 'userUUID'>): string {
  return `${kind}/${namespace}/${userUUID.toLowerCase()}`
}

/** By the pin alone: it is there before anything is made, and stays until everything is gone. */
function accountKeys({ metadata }: CloudSigmaMachine): readonly string[] {
  const pin = parsePin(metadata.annotations?.[ANNOTATIONS.account] ?? '')
  return pin === undefined ? [] : [accountKey(metadata.namespace ?? '', pin)]
}

function demandOf({ metadata, spec }: CloudSigmaMachine): Demand {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    cpuMhz: spec.cpu,
    memoryMib: spec.memory,
    drives: spec.disks?.length ?? 0,
  }
}

function hasServer({ metadata, spec }: CloudSigmaMachine): boolean {
  return metadata.annotations?.[ANNOTATIONS.server] !== undefined || spec.providerID !== undefined
}

function isOlder(one: CloudSigmaMachine, other: CloudSigmaMachine): boolean {
  const order = (one.metadata.creationTimestamp ?? '').localeCompare(other.metadata.creationTimestamp ?? '')
  return order === 0 ? one.metadata.name.localeCompare(other.metadata.name) < 0 : order < 0
}
