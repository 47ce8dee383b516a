import type { Route } from '../handler.ts'
import { detailRoutes } from './details.ts'
import { directoryRoutes } from './directory.ts'
import { exportRoutes } from './exports.ts'
import { machineRoutes } from './machines.ts'
import { moneyRoutes } from './money.ts'
import { referenceRoutes } from './reference.ts'
import { reportRoutes } from './reports.ts'

/** Every read of bills and usage: the rows behind READ_ROUTES of the contract. */
export const readRoutes: readonly Route[] = [
  ...referenceRoutes,
  ...reportRoutes,
  ...detailRoutes,
  ...exportRoutes,
  ...moneyRoutes,
  ...directoryRoutes,
  ...machineRoutes,
]
