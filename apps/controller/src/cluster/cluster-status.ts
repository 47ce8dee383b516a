import type { AccountStatus, CloudSigmaCluster, Condition } from '@ascribe/kinds'
import { mergeConditions, withoutConditions } from '../conditions.ts'
import type { Wanted } from '../conditions.ts'
import type { AccountPin } from '../authority/pin.ts'
import type { Network } from './network.ts'

/** What was found out about a cluster in one run. */
export type Findings = {
  readonly identity: { readonly status: Condition['status']; readonly reason: string; readonly message: string }
  readonly pin?: AccountPin | undefined
  /** Absent: not looked at, what was said before stays. */
  readonly network?: Network | undefined
  readonly isPaused?: boolean
  /** Machines that still stand, while the cluster is being deleted. */
  readonly machinesLeft?: number | undefined
}

type Facts = { readonly now: number; readonly generation: number | undefined }

/** The status as a merge patch; `undefined` when it is so already. `provisioned` goes one way (C-21): faults are conditions. */
export function clusterStatusPatch(cluster: CloudSigmaCluster, findings: Findings, facts: Facts): { readonly status: object } | undefined {
  const { status = {} } = cluster
  const isUp = findings.identity.status === 'True' && isNetworkUp(findings.network, status.conditions)
  const isProvisioned = status.initialization?.provisioned === true || (isUp && findings.machinesLeft === undefined)
  const wanted = conditionsOf(findings, { isUp, isPaused: findings.isPaused === true })
  const gone = [
    ...(findings.pin !== undefined && findings.pin.kind !== 'PlatformAccount' ? ['UsingPlatformAccount'] : []),
    ...(findings.network?.is === 'none' ? ['NetworkReady'] : []),
  ]
  const kept = withoutConditions(status.conditions, gone)
  const merged = mergeConditions(kept, wanted, facts) ?? (kept.length === (status.conditions ?? []).length ? undefined : kept)
  const account = accountOf(findings.pin)
  const vlanUUID = cluster.spec.vlan?.uuid
  const patch = {
    ...(isProvisioned && status.ready !== true && { ready: true }),
    ...(isProvisioned && status.initialization?.provisioned !== true && { initialization: { provisioned: true } }),
    ...(account !== undefined && JSON.stringify(account) !== JSON.stringify(status.account) && { account }),
    ...(findings.network?.is === 'ready' && vlanUUID !== undefined && status.network?.vlanUUID !== vlanUUID && { network: { vlanUUID } }),
    ...(merged !== undefined && { conditions: merged }),
    ...(facts.generation !== undefined && status.observedGeneration !== facts.generation && { observedGeneration: facts.generation }),
  }
  return Object.keys(patch).length === 0 ? undefined : { status: patch }
}

function isNetworkUp(network: Network | undefined, conditions: readonly Condition[] = []): boolean {
  if (network !== undefined) return network.is === 'none' || network.is === 'ready'
  return (conditions.find(({ type }) => type === 'NetworkReady')?.status ?? 'True') === 'True'
}

function accountOf(pin: AccountPin | undefined): AccountStatus | undefined {
  if (pin === undefined) return undefined
  const { kind, userUUID, region, binding } = pin
  return { kind, userUUID, region, ...(binding !== undefined && { binding }) }
}

function conditionsOf(findings: Findings, { isUp, isPaused }: { readonly isUp: boolean; readonly isPaused: boolean }): readonly Wanted[] {
  const { identity, network, pin, machinesLeft } = findings
  const paused: Wanted = isPaused
    ? {
        type: 'Paused',
        status: 'True',
        reason: 'Paused',
        message: 'the Cluster is paused, or the annotation cluster.x-k8s.io/paused stands here',
      }
    : { type: 'Paused', status: 'False', reason: 'NotPaused', message: '' }
  if (isPaused) return [paused]
  const list: Wanted[] = [paused, { type: 'IdentityReady', ...identity }]
  if (network !== undefined && network.is !== 'none') list.push(networkCondition(network))
  if (pin?.kind === 'PlatformAccount')
    list.push({
      type: 'UsingPlatformAccount',
      status: 'True',
      reason: 'PlatformAccount',
      message: `machines are made in the platform's account ${pin.userUUID}, as an administrator has chosen, and not in their owner's`,
    })
  if (machinesLeft !== undefined) {
    const message = machinesLeft === 0 ? 'all machines are gone' : `waiting for ${machinesLeft} machines to be gone`
    list.push({ type: 'Deleting', status: 'True', reason: machinesLeft === 0 ? 'Deleting' : 'WaitingForMachines', message })
    list.push({ type: 'Ready', status: 'False', reason: 'Deleting', message })
  } else list.push(readyCondition(findings, isUp))
  return list
}

function networkCondition(network: Exclude<Network, { is: 'none' }>): Wanted {
  switch (network.is) {
    case 'ready':
      return { type: 'NetworkReady', status: 'True', reason: 'NetworkReady', message: network.message }
    case 'wrong':
      return { type: 'NetworkReady', status: 'False', reason: network.reason, message: network.message }
    case 'unknown':
      return { type: 'NetworkReady', status: 'Unknown', reason: 'WaitingForCloud', message: network.message }
  }
}

function readyCondition({ identity, network }: Findings, isUp: boolean): Wanted {
  if (isUp) return { type: 'Ready', status: 'True', reason: 'Ready', message: '' }
  if (identity.status !== 'True') return { type: 'Ready', ...identity }
  const { status, reason, message } = network === undefined || network.is === 'none' ? identity : networkCondition(network)
  return { type: 'Ready', status: status === 'True' ? 'Unknown' : status, reason, message }
}
