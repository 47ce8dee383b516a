import type { RouteDef } from '../route.ts'
import { OrganizationParamsSchema } from '../schemas.ts'
import type { OrganizationParams } from '../types.ts'
import { MachineDetailSchema, MachineParamsSchema, MachineQuerySchema, MachinesPageSchema, MachinesQuerySchema } from './machine-schemas.ts'
import type { MachineDetail, MachineParams, MachineQuery, MachinesPage, MachinesQuery } from './machine-types.ts'
import { READ } from './reference-routes.ts'

export const listMachines: RouteDef<OrganizationParams, MachinesQuery, undefined, MachinesPage> = {
  ...READ,
  operationId: 'listMachines',
  summary: 'Virtual machines that were there at some time of a window: what they used, what is charged, and what the cloud bills itself.',
  path: '/v1/organizations/{id}/machines',
  params: OrganizationParamsSchema,
  query: MachinesQuerySchema,
  reply: MachinesPageSchema,
}

export const getMachine: RouteDef<MachineParams, MachineQuery, undefined, MachineDetail> = {
  ...READ,
  operationId: 'getMachine',
  summary: 'One virtual machine with its prices, the stretches of its life, and what was done with it on behalf of its owner.',
  path: '/v1/organizations/{id}/machines/{machine}',
  params: MachineParamsSchema,
  query: MachineQuerySchema,
  reply: MachineDetailSchema,
}

export const MACHINE_ROUTES: readonly RouteDef[] = [listMachines, getMachine]
