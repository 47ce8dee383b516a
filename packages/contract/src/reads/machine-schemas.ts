import { z } from 'zod'
import type { MachineDetail, MachineJson, MachineParams, MachineQuery, MachinesPage, MachinesQuery, MachineState } from './machine-types.ts'
import { count, currency, cursor, day, decimalText, instant, keys, limit, nextCursor } from './parts.ts'

const STATES = ['running', 'stopped', 'deleted'] as const
const window = {
  from: day.optional().meta({ description: 'First day of the window. Default: of this month.' }),
  to: day.optional().meta({ description: 'Its last day. Default: today.' }),
}

const states: z.ZodType<readonly MachineState[] | undefined, unknown> = z
  .union([z.enum(STATES), z.array(z.enum(STATES)).min(1).max(STATES.length)])
  .transform((given) => (typeof given === 'string' ? [given] : given))
  .optional()
  .meta({ description: 'Any of these; repeat the parameter for several.' })

export const MachinesQuerySchema: z.ZodType<MachinesQuery, unknown> = z.strictObject({
  ...window,
  state: states,
  region: keys,
  limit: limit({ max: 500, otherwise: 100 }),
  cursor,
})
export const MachineQuerySchema: z.ZodType<MachineQuery, unknown> = z.strictObject(window)
export const MachineParamsSchema: z.ZodType<MachineParams> = z.strictObject({ id: z.string(), machine: z.string() })

const settledBy = z.enum(['provider', 'platform']).meta({
  description: 'provider: the cloud bills it to the owner of the account. platform: it is charged on the statement.',
})
const hours = decimalText.meta({ description: 'Hours, exact to six places.' })
const meters = z.record(z.string(), decimalText).meta({
  description: 'By meter, in the unit that its name says: vm_cpu_mhz_hours, vm_memory_mib_hours, vm_disk_gib_hours, vm_ip_hours.',
})

const machine = {
  id: z.string().meta({ description: "The cloud's id of the server." }),
  name: z.string(),
  namespace: z.string().optional(),
  cluster: z.string().optional(),
  region: z.string(),
  account: z.enum(['owner', 'platform']).meta({ description: "In whose account it is: the owner's own, or the platform's." }),
  owner: z.string().optional().meta({ description: 'The user of the cloud whose account it is.' }),
  state: z.enum(STATES),
  stateAt: instant.meta({ description: 'Since when it was seen in this state.' }),
  since: instant.meta({ description: 'When it was seen first.' }),
  deletedAt: instant.optional(),
  cpuMhz: count,
  memoryMib: count,
  diskGib: decimalText,
  addresses: count.meta({ description: 'Public addresses.' }),
  hours: hours.meta({ description: 'Hours of the window in which it ran, exact to six places.' }),
  meters,
  settledBy,
  amount: decimalText.meta({ description: 'Charged here: part of what is due.' }),
  memo: decimalText.meta({ description: 'At list prices, what the cloud bills the owner itself: part of no total.' }),
  held: count.meta({ description: 'Records of the window without a price.' }),
  createdBy: z
    .strictObject({ controller: z.string(), object: z.string(), at: instant })
    .optional()
    .meta({ description: 'The act that made it. Who asked for it stands in the access log.' }),
}

const MachineSchema: z.ZodType<MachineJson> = z.strictObject(machine).meta({ id: 'Machine' })

export const MachinesPageSchema: z.ZodType<MachinesPage> = z
  .strictObject({
    start: instant,
    end: instant,
    currency,
    amount: decimalText.meta({ description: 'Of all machines of the window.' }),
    memo: decimalText.meta({ description: 'Of all machines of the window; part of no total.' }),
    data: z.array(MachineSchema),
    nextCursor,
  })
  .meta({ id: 'Machines' })

export const MachineDetailSchema: z.ZodType<MachineDetail> = z
  .strictObject({
    ...machine,
    start: instant,
    end: instant,
    currency,
    lines: z.array(
      z.strictObject({
        meter: z.string(),
        quantity: decimalText,
        rate: decimalText.meta({ description: 'Of one hour of the unit.' }),
        amount: decimalText,
        settledBy,
      }),
    ),
    intervals: z
      .array(
        z.strictObject({
          start: instant,
          end: instant,
          isRunning: z.boolean(),
          provenance: z.string().meta({ description: 'reported, or estimated: nobody watched, and the cloud could not say.' }),
          meters,
          record: z.string().meta({ description: 'The usage record.' }),
        }),
      )
      .meta({ description: 'The newest 500 of the window, newest first.' }),
    acts: z
      .array(
        z.strictObject({
          id: z.string(),
          at: instant,
          endedAt: instant,
          verb: z.string(),
          outcome: z.string().meta({ description: 'done, refused, failed, not_sent, unknown.' }),
          controller: z.string(),
          object: z.string(),
          cloudRequestId: z.string().optional(),
          status: z.int().optional(),
          fault: z.string().optional(),
        }),
      )
      .meta({ description: 'What was done with it, the newest 100 of the window, newest first.' }),
  })
  .meta({ id: 'MachineDetail' })
