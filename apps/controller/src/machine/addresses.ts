import { isIP } from 'node:net'
import type { Server } from '@ascribe/cloudsigma'
import type { CloudSigmaMachine, MachineAddress } from '@ascribe/kinds'
import { errorChain } from '@ascribe/kit'
import { isKubeError } from '@ascribe/kube'
import { API_VERSION } from '@ascribe/kinds'
import type { DesiredNic } from './desired.ts'
import type { IpAddressClaim } from './capi.ts'
import type { Run } from './run.ts'
import { sanitize } from './trouble.ts'
import type { Hold } from './types.ts'

/** Name of the claim of an interface: one for each, for the life of the machine. */
function claimName(machine: string, nic: number): string {
  return `${machine}-nic-${nic}`
}

function pooledNics({ desired }: Pick<Run, 'desired'>): readonly (readonly [number, NonNullable<DesiredNic['pool']>])[] {
  return typeof desired === 'string' ? [] : desired.nics.flatMap(({ pool }, nic) => (pool === undefined ? [] : [[nic, pool] as const]))
}

/** Claims addresses from pools of Cluster API's IPAM and reads what was given. `undefined`: none are missing (C 4.6). */
export async function ensureAddresses(run: Run): Promise<Hold | undefined> {
  for (const [nic, pool] of pooledNics(run)) {
    if (run.pooled.has(nic)) continue
    const wait = await ensureOne(run, { nic, pool }).catch(unreachable)
    if (wait !== undefined) return wait
  }
  return undefined
}

/** Kubernetes cannot be asked now: the machine waits, and says so. */
function unreachable(error: unknown): Hold {
  return { reason: 'WaitingForAddress', message: sanitize(errorChain(error)), retryAfterMs: 2_000 }
}

async function ensureOne(
  run: Run,
  { nic, pool }: { readonly nic: number; readonly pool: NonNullable<DesiredNic['pool']> },
): Promise<Hold | undefined> {
  const { kube, ipam } = run.world
  const { namespace = '', name } = run.key
  const key = { namespace, name: claimName(name, nic) }
  const claim = (await kube.tryGet(ipam.claims, key)) ?? (await makeClaim(run, { key, pool }))
  if (claim !== undefined && !isOwn(run, claim))
    return {
      reason: 'WaitingForAddress',
      message: `IPAddressClaim ${key.name} belongs to something else, or is going away: its address is not this machine's`,
      retryAfterMs: 10_000,
    }
  const given = claim?.status?.addressRef?.name
  if (given === undefined)
    return {
      reason: 'WaitingForAddress',
      message: `IPAddressClaim ${key.name} has no address yet: is there room in ${pool.kind} ${pool.name}?`,
      retryAfterMs: 2_000,
    }
  const { spec } = await kube.get(ipam.addresses, { namespace, name: given })
  if (spec?.address === undefined) return { reason: 'WaitingForAddress', message: `IPAddress ${given} is empty`, retryAfterMs: 2_000 }
  run.pooled.set(nic, { address: spec.address, prefix: spec.prefix, gateway: spec.gateway })
  return undefined
}

/** A claim of this name may be of a machine that was deleted, or of whoever would like the address to be given away (C 4.6). */
function isOwn({ uid }: Run, { metadata }: IpAddressClaim): boolean {
  return metadata.deletionTimestamp === undefined && metadata.ownerReferences?.some((each) => each.uid === uid) === true
}

async function makeClaim(
  run: Run,
  { key, pool }: { readonly key: { readonly namespace: string; readonly name: string }; readonly pool: NonNullable<DesiredNic['pool']> },
): Promise<IpAddressClaim | undefined> {
  const clusterName = run.capiCluster?.metadata.name
  try {
    return await run.world.kube.create(run.world.ipam.claims, {
      metadata: {
        ...key,
        ...(clusterName !== undefined && { labels: { 'cluster.x-k8s.io/cluster-name': clusterName } }),
        ownerReferences: [{ apiVersion: API_VERSION, kind: 'CloudSigmaMachine', name: run.key.name, uid: run.uid, controller: true }],
      },
      spec: {
        ...(clusterName !== undefined && { clusterName }),
        poolRef: { ...(pool.apiGroup !== undefined && { apiGroup: pool.apiGroup }), kind: pool.kind, name: pool.name },
      },
    })
  } catch (error) {
    if (isKubeError(error, 'AlreadyExists')) return undefined
    throw error
  }
}

/** Gives the addresses back. Only called once the server is gone: until then another machine must not get them. */
export async function releaseClaims(run: Run): Promise<void> {
  const { namespace = '', name } = run.key
  const count = run.machine.spec.nics?.length ?? 0
  for (let nic = 0; nic < count; nic += 1) {
    if (run.machine.spec.nics?.[nic]?.ipPoolRef === undefined) continue
    const key = { namespace, name: claimName(name, nic) }
    const claim = await run.world.kube.tryGet(run.world.ipam.claims, key)
    if (claim === undefined || !isOwn(run, claim)) continue
    await run.world.kube.delete(run.world.ipam.claims, key, {
      preconditions: { ...(claim.metadata.uid !== undefined && { uid: claim.metadata.uid }) },
    })
  }
}

/** Key of a server's meta with what a pool gave for an interface. */
export function addressMetaKey(nic: number): string {
  return `ascribe-nic-${nic}`
}

/**
 * Addresses by interface: private ones are internal, public ones external; no call is needed, since the uuid of an address is the address
 * . What a pool gave for a private one stands in the server's meta.
 */
export function addressesOf({ nics, meta }: Pick<Server, 'nics' | 'meta'>): MachineAddress[] {
  return nics.flatMap((nic, index) => {
    const address =
      nic.running?.ipV4 ?? (nic.vlan === undefined ? nic.ipV4?.ip : undefined) ?? givenAddress(meta.get(addressMetaKey(index)))
    if (address === undefined) return []
    return [{ type: nic.vlan === undefined ? ('ExternalIP' as const) : ('InternalIP' as const), address }]
  })
}

function givenAddress(text: string | undefined): string | undefined {
  const address = /"address":"([0-9a-fA-F.:]{2,45})"/.exec(text ?? '')?.[1]
  return address !== undefined && isIP(address) !== 0 ? address : undefined
}

/** What was once reported stays as long as the cloud does not say otherwise: pools are not read again for a machine that runs. */
export function keptAddresses(machine: CloudSigmaMachine, now: readonly MachineAddress[]): readonly MachineAddress[] {
  return now.length > 0 ? now : (machine.status?.addresses ?? [])
}
