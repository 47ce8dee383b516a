import assert from 'node:assert/strict'
import { createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import { USER } from './controller-world.ts'
import type { ControllerWorld } from './controller-world.ts'

// What machines of the sandbox cloud must have used, counted by none of the code that makes records of it.

const HOUR = 3_600_000n
/** A deletion that was asked for is done, and seen, within this. */
const DELETION_MS = 10_000n

/** As `ascribe events list --json` says it. */
export type MachineEvent = {
  readonly event_id: string
  readonly auth_id: string
  readonly resource_id: string
  readonly meters: Readonly<Record<string, number>>
}
/** What a meter must come to, in millionths of its hour, and the most that whole milliseconds may put between the two. */
type Truth = { readonly least: bigint; readonly most: bigint }

/** A client of the cloud as the owner, in one region. */
export function eyes({ cloud }: ControllerWorld, region: string): CloudSigma {
  const user = cloud.users.find(({ email }) => email === USER)
  const origin = new URL(cloud.regions[region]?.api ?? '')
  return createCloudSigma({
    endpoint: { region, apiUrl: origin, origin: origin.origin },
    authenticator: createBasicAuthenticator({ username: USER, password: user?.password ?? '' }),
  })
}

/** Bytes of the drives of each server, as the cloud has them. */
export async function mountedBytes(world: ControllerWorld): Promise<ReadonlyMap<string, bigint>> {
  const found = new Map<string, bigint>()
  for (const region of ['zrh', 'sjc']) {
    const cloud = eyes(world, region)
    for (const { uuid, drives } of await cloud.servers.list({}, { whole: true }))
      for (const { drive = '' } of drives) found.set(uuid, (found.get(uuid) ?? 0n) + BigInt((await cloud.drives.get(drive)).sizeBytes ?? 0))
  }
  return found
}

const MIB = 1n << 20n
const GIB = 1n << 30n
const sumOf = (all: readonly bigint[]): bigint => all.reduce((sum, each) => sum + each, 0n)

export type ActLine = {
  readonly event: string
  readonly outcome: string
  readonly at: string
  readonly ended_at: string
  readonly verb: string
  readonly server?: string
  readonly binding?: string
}

/** A line of an export that says what a controller did. */
export function actOf(text: string): readonly ActLine[] {
  if (text === '') return []
  const { line } = JSON.parse(text) as {
    readonly line?: { readonly kind: string; readonly at: string; readonly detail: Omit<ActLine, 'at'> }
  }
  return line?.kind === 'act' ? [{ at: line.at, ...line.detail }] : []
}

type Server = {
  readonly server: string
  /** Of its drives. */ readonly bytes: bigint
  /** That the act took in which it was started. */ readonly startMs: bigint
}

/** Counted again from what the cloud itself says ran, by none of the code that made the records. */
function truthOf({ cloud }: ControllerWorld, { server, bytes, startMs }: Server): Readonly<Record<string, Truth>> {
  const ran = cloud.intervals(USER).filter((each) => each.server === server)
  const spans = ran.map(({ cpu, mem, start: from, end }) => ({
    cpu: BigInt(cpu),
    mem: BigInt(mem),
    ms: BigInt(Math.round((end ?? 0) - from)),
  }))
  // The cloud's log has whole milliseconds, its own account of what ran fractions of them: one at each end of a span. One unit is never begun.
  // A start of the controller's own counts from when it was answered: later than it was taken, and within the act.
  const near = (rates: readonly bigint[], unit: bigint): Truth => {
    const total = (sumOf(spans.map(({ ms }, index) => (rates[index] ?? 0n) * ms)) * 1_000_000n) / (unit * HOUR)
    const slack = (sumOf(rates) * 2n * 1_000_000n) / (unit * HOUR) + 2n
    return { least: total - slack - ((rates[0] ?? 0n) * startMs * 1_000_000n) / (unit * HOUR), most: total + slack }
  }
  // Disks are there from the first start to the deletion, stopped or not: the cloud's log of calls says when that was asked for, at the
  // latest it is seen two looks later.
  const [first] = ran
  const deletion = cloud.calls().find(({ method, path }) => method === 'DELETE' && path.includes(server))
  assert.ok(first !== undefined && deletion !== undefined, 'it ran, and was deleted')
  const stood = BigInt(Math.round(Date.parse(deletion.at) - first.start))
  const disk = (ms: bigint): bigint => (bytes * ms * 1_000_000n) / (GIB * HOUR)
  return {
    vm_cpu_mhz_hours: near(
      spans.map(({ cpu }) => cpu),
      1n,
    ),
    vm_memory_mib_hours: near(
      spans.map(({ mem }) => mem),
      MIB,
    ),
    vm_ip_hours: near(
      spans.map(() => 1n),
      1n,
    ),
    vm_disk_gib_hours: { least: disk(stood) - 2n, most: disk(stood + DELETION_MS) },
  }
}

/** Of every server that ran, each meter must be what the cloud says ran. `mounted`: bytes of the drives of each, read while they were there. */
export function assertHours(
  world: ControllerWorld,
  {
    records,
    acts,
    mounted,
  }: { readonly records: readonly MachineEvent[]; readonly acts: readonly ActLine[]; readonly mounted: ReadonlyMap<string, bigint> },
): void {
  const ofServers = Map.groupBy(records, ({ resource_id: id }) => id)
  assert.deepEqual([...ofServers.keys()].toSorted(), [...mounted.keys()].toSorted())
  for (const [id, own] of ofServers) {
    const truth = truthOf(world, { server: id, bytes: mounted.get(id) ?? 0n, startMs: startMs(acts, id) })
    for (const [meter, { least, most }] of Object.entries(truth)) {
      const used = sumOf(own.map(({ meters }) => BigInt(meters[meter] ?? 0)))
      assert.ok(least > 0n && used >= least && used <= most, `${meter} of ${id}: ${used} counted, and it must be ${least} to ${most}`)
    }
  }
}

function startMs(acts: readonly ActLine[], id: string): bigint {
  const act = acts.find(({ verb, server }) => verb === 'start' && server === id)
  assert.ok(act, `the start of ${id} is in the log`)
  return BigInt(Date.parse(act.ended_at) - Date.parse(act.at))
}
