import { ApiRefusal, wrongState } from './api-reply.ts'
import type { Actor } from './authenticate.ts'
import { writeAudit } from './audit.ts'
import { costOf } from './bill.ts'
import type { Server, ServerStatus } from './entities.ts'
import type { RegionState } from './region-state.ts'
import type { World } from './world.ts'

/** Where a server is: what its life needs to know. */
export type ServerPlace = { readonly world: World; readonly state: RegionState; readonly region: string; readonly actor?: Actor }

const FIVE_DAYS_HOURS = 120n
const MAX_ADDRESS = 250

/** The states in which processor and memory are paid for: from the start that was taken to the stop that was done. */
const PAID: ReadonlySet<ServerStatus> = new Set(['starting', 'running', 'stopping', 'paused', 'unavailable'])

/** Moves a server into a state, and its account's bill with it. */
export function moveServer(place: ServerPlace, server: Server, status: ServerStatus): void {
  const { world } = place
  const wasPaid = PAID.has(server.status)
  server.status = status
  server.turn += 1
  if (wasPaid !== PAID.has(status)) bill(place, server, !wasPaid)
  if (status === 'running') server.activeSince ??= world.now()
  if (status === 'running') giveAddresses(place, server)
  // A boot is a boot, also after a crash of the host: what ran is gone, and DHCP may give another address.
  if (status === 'stopped' || status === 'starting') takeDown(place, server)
}

/** Puts a machine's processor and memory on its owner's bill, or takes them off. */
export function bill({ world, region }: Pick<ServerPlace, 'world' | 'region'>, server: Server, isPaid: boolean): void {
  if (isPaid) world.running.begin(server, { region, at: world.now() })
  else world.running.end(server, world.now())
  const sign = isPaid ? 1 : -1
  if (server.owner !== null)
    world.bills.change(server.owner, region, { cpuMhz: BigInt(sign * server.cpu), memBytes: BigInt(sign * server.mem) })
}

/** Addresses for the NICs that want one and have none. */
export function giveAddresses({ state, world, region }: ServerPlace, server: Server): void {
  for (const nic of server.nics) {
    if (nic.ipV4?.conf === 'static') nic.address = nic.ipV4.ip
    else if (nic.ipV4 !== null && nic.address === null) {
      // The next one of the region's block: it differs at each boot.
      const given = state.addressesGiven++
      nic.address = `185.${12 + world.regions.names.indexOf(region)}.${Math.floor(given / MAX_ADDRESS) % 256}.${2 + (given % MAX_ADDRESS)}`
    }
    const ip = nic.address === null ? undefined : state.ips.get(nic.address)
    if (ip !== undefined) ip.server = server.uuid
  }
}

function takeDown({ state }: ServerPlace, server: Server): void {
  server.activeSince = null
  for (const nic of server.nics) {
    const ip = nic.address === null ? undefined : state.ips.get(nic.address)
    if (ip !== undefined) ip.server = null
    nic.address = null
  }
}

/** Plans a move; it is void if something else has moved the server by then. */
function later(place: ServerPlace, server: Server, { ms, run }: { ms: number; run: () => void }): void {
  const { turn } = server
  const isStill = (): boolean => server.turn === turn && place.state.servers.get(server.uuid) === server
  place.world.schedule.after(ms, () => {
    if (isStill()) run()
  })
}

const log = (place: ServerPlace, server: Server, action: string): void =>
  writeAudit(place.state, { action, entity: server, at: place.world.now(), ...(place.actor !== undefined && { actor: place.actor }) })

function assertStatus(server: Server, { expected, target }: { expected: ServerStatus; target: string }): void {
  if (server.status !== expected) throw wrongState({ uuid: server.uuid, target, expected, current: server.status })
}

/** stopped → starting → running. @throws {ApiRefusal} */
export function startServer(place: ServerPlace, server: Server): void {
  const { world, state } = place
  assertStatus(server, { expected: 'stopped', target: 'starting' })
  for (const { drive } of server.mounts) {
    const status = state.drives.get(drive)?.status
    if (status !== undefined && status !== 'mounted')
      throw wrongState({ uuid: drive, target: 'mounted', expected: 'unmounted', current: status })
  }
  assertOutcome(world, server)
  assertFunds(place, server)
  log(place, server, 'start_send')
  begin(place, server)
}

function begin(place: ServerPlace, server: Server): void {
  const { knobs } = place.world
  moveServer(place, server, 'starting')
  if (knobs.startOutcome === 'stuck') return
  later(place, server, {
    ms: knobs.startMs,
    run: () => {
      moveServer(place, server, 'running')
      log(place, server, 'boot')
    },
  })
}

function assertOutcome({ knobs }: World, server: Server): void {
  switch (knobs.startOutcome) {
    case 'payment':
      throw new ApiRefusal(402, 'payment', 'Insufficient funds to start the server')
    case 'capacity':
      throw new ApiRefusal(503, 'backend', 'There is not enough capacity to start the server')
    case 'concurrency-once':
      if (server.wasRefusedOnce) return
      server.wasRefusedOnce = true
      throw new ApiRefusal(503, 'concurrency', 'Cannot proceed with operation since there is a concurrent operation on the resource')
    case 'runs':
    case 'stuck':
  }
}

/** A start needs money for five days of everything that would then run. */
function assertFunds({ world, region }: ServerPlace, server: Server): void {
  const owner = server.owner === null ? undefined : world.users.get(server.owner)
  if (owner === undefined || !world.knobs.enforceFunds) return
  const running = world.bills.of(owner.uuid, region)
  const hour = costOf({ cpu: running.cpuMhz + BigInt(server.cpu), mem: running.memBytes + BigInt(server.mem), disk: running.diskBytes }, 1n)
  if (world.balanceOf(owner) < hour * FIVE_DAYS_HOURS)
    throw new ApiRefusal(402, 'payment', 'Insufficient funds: the balance must last for five days')
}

/** A power cut: running → stopping → stopped. @throws {ApiRefusal} */
export function stopServer(place: ServerPlace, server: Server): void {
  // A hung guest is stopped while ACPI still waits for it, and a paused or faulty one too.
  if (!['running', 'starting', 'stopping', 'paused', 'unavailable'].includes(server.status))
    assertStatus(server, { expected: 'running', target: 'stopping' })
  log(place, server, 'stop_send')
  moveServer(place, server, 'stopping')
  later(place, server, {
    ms: place.world.knobs.stopMs,
    run: () => {
      moveServer(place, server, 'stopped')
      log(place, server, 'stop')
    },
  })
}

/** ACPI: `stopping` for as long as the guest takes; back to `running` if it does not react. @throws {ApiRefusal} */
export function shutDownServer(place: ServerPlace, server: Server): void {
  const { knobs } = place.world
  assertStatus(server, { expected: 'running', target: 'stopping' })
  log(place, server, 'shutdown_ACPI_send')
  moveServer(place, server, 'stopping')
  later(place, server, {
    ms: knobs.guestIgnoresShutdown ? knobs.shutdownMs : Math.min(knobs.shutdownMs, knobs.stopMs),
    run: () => moveServer(place, server, knobs.guestIgnoresShutdown ? 'running' : 'stopped'),
  })
}

/** A power cut and a start, as one action. @throws {ApiRefusal} */
export function restartServer(place: ServerPlace, server: Server): void {
  assertStatus(server, { expected: 'running', target: 'stopping' })
  log(place, server, 'stop_send')
  moveServer(place, server, 'stopping')
  later(place, server, {
    ms: place.world.knobs.stopMs,
    run: () => {
      moveServer(place, server, 'stopped')
      begin(place, server)
    },
  })
}

/** The host dies under it: running → starting → running. */
export function crashHost(place: ServerPlace, server: Server): void {
  log(place, server, 'heal')
  begin(place, server)
}
