import { getMachine, listMachines } from '@ascribe/contract/reads'
import type {
  MachineAct,
  MachineDetail,
  MachineInterval,
  MachineJson,
  MachineLine,
  MachineQuery,
  MachinesPage,
  MachinesQuery,
} from '@ascribe/contract/reads'
import { periodOfDays, readMachine, readMachineActs, readMachineIntervals, readMachineLines, readMachines } from '@ascribe/ledger/views'
import type { ViewedAct, ViewedInterval, ViewedMachine, ViewedMachineLine } from '@ascribe/ledger/views'
import { formatDecimal, formatInstant, formatMeterQuantity, formatMeterRate, formatNano } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { currencyOf } from './currency.ts'
import { nextOf, placeOrRefuse } from './paging.ts'
import { windowOrMonth } from './reports.ts'

/** Virtual machines. */
export const machineRoutes: readonly Route[] = [
  organizationRoute(listMachines, (context, { query }) => readMachinesPage(context, query)),
  organizationRoute(getMachine, (context, { params, query }) => readMachineDetail(context, params.machine, query)),
]

const INTERVALS = 500
const ACTS = 100
const HOUR_MS = 3_600_000n
const MICRO = 1_000_000n
const GIB = 1n << 30n

async function readMachinesPage(context: OrganizationContext, query: MachinesQuery): Promise<MachinesPage> {
  const { db, organizationId, clock } = context
  const days = windowOrMonth(query, clock())
  const scope = ['listMachines', organizationId, days.from, days.to, query.state?.toSorted(), query.region?.toSorted()]
  const after = placeOrRefuse(scope, query.cursor)
  const period = periodOfDays(days)
  const { machines, amount, memo, next } = await readMachines(db, {
    organizationId,
    period,
    limit: query.limit,
    ...(query.state !== undefined && { states: query.state }),
    ...(query.region !== undefined && { regions: query.region }),
    ...(after !== undefined && { after }),
  })
  return {
    start: formatInstant(period.start),
    end: formatInstant(period.end),
    currency: await currencyOf(context),
    amount: formatNano(amount),
    memo: formatNano(memo),
    data: machines.map(machineJson),
    ...nextOf(scope, next),
  }
}

async function readMachineDetail(context: OrganizationContext, machineId: string, query: MachineQuery): Promise<MachineDetail> {
  const { db, organizationId, clock } = context
  const period = periodOfDays(windowOrMonth(query, clock()))
  const machine = await readMachine(db, { organizationId, machineId, period })
  if (machine === undefined) throw new Refusal('not_found', 'There is no such machine.')
  const of = { organizationId, machineId: machine.id, period }
  const lines = await readMachineLines(db, of)
  const intervals = await readMachineIntervals(db, { ...of, limit: INTERVALS })
  const acts = await readMachineActs(db, { ...of, limit: ACTS })
  return {
    ...machineJson(machine),
    start: formatInstant(period.start),
    end: formatInstant(period.end),
    currency: await currencyOf(context),
    lines: lines.map(lineJson),
    intervals: intervals.map(intervalJson),
    acts: acts.map(actJson),
  }
}

function machineJson(machine: ViewedMachine): MachineJson {
  const { cluster, createdBy, state, stateAt } = machine
  return {
    id: machine.id,
    name: machine.name,
    namespace: machine.namespace,
    ...(cluster !== undefined && { cluster }),
    region: machine.region,
    account: machine.account === 'Owner' ? 'owner' : 'platform',
    owner: machine.ownerId,
    state,
    stateAt: formatInstant(stateAt),
    since: formatInstant(machine.since),
    ...(state === 'deleted' && { deletedAt: formatInstant(stateAt) }),
    cpuMhz: machine.cpuMhz,
    memoryMib: machine.memoryMib,
    diskGib: sixPlaces(machine.diskBytes, GIB),
    addresses: machine.addresses,
    hours: sixPlaces(machine.runningMs, HOUR_MS),
    meters: metersJson(machine.meters),
    // By what was priced; of a machine that has used nothing yet, by whose account it is in.
    settledBy: machine.amount > 0n || (machine.memo === 0n && machine.account !== 'Owner') ? 'platform' : 'provider',
    amount: formatNano(machine.amount),
    memo: formatNano(machine.memo),
    held: machine.heldRecords,
    ...(createdBy !== undefined && {
      createdBy: { controller: createdBy.controller, object: createdBy.object, at: formatInstant(createdBy.at) },
    }),
  }
}

/** Cut, never rounded up: nobody ran longer than he did. */
function sixPlaces(amount: bigint, unit: bigint): string {
  return formatDecimal((amount * MICRO) / unit, 6)
}

function metersJson(meters: Readonly<Record<string, bigint>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(meters).map(([meter, quantity]) => [meter, formatMeterQuantity({ model: 'vm', meter }, quantity)]),
  )
}

function lineJson({ meter, quantity, rate, amount, isMemo }: ViewedMachineLine): MachineLine {
  return {
    meter,
    quantity: formatMeterQuantity({ model: 'vm', meter }, quantity),
    rate: formatMeterRate({ model: 'vm', meter }, rate),
    amount: formatNano(amount),
    settledBy: isMemo ? 'provider' : 'platform',
  }
}

function intervalJson({ eventId, start, end, isRunning, provenance, meters }: ViewedInterval): MachineInterval {
  return { start: formatInstant(start), end: formatInstant(end), isRunning, provenance, meters: metersJson(meters), record: eventId }
}

function actJson({ eventId, startedAt, endedAt, verb, outcome, actor, cloudRequestId, status, fault }: ViewedAct): MachineAct {
  return {
    id: eventId,
    at: formatInstant(startedAt),
    endedAt: formatInstant(endedAt),
    verb,
    outcome,
    controller: actor.controller,
    object: actor.object,
    ...(cloudRequestId !== undefined && { cloudRequestId }),
    ...(status !== undefined && { status }),
    ...(fault !== undefined && { fault }),
  }
}
