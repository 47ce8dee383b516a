import type { RouteDef } from '../route.ts'
import { COST_ROUTES } from './cost-routes.ts'
import { DETAIL_ROUTES } from './detail-routes.ts'
import { DIRECTORY_ROUTES } from './directory-routes.ts'
import { MACHINE_ROUTES } from './machine-routes.ts'
import { MONEY_ROUTES } from './money-routes.ts'
import { REFERENCE_ROUTES } from './reference-routes.ts'

/** Every read of bills and usage, in the order of the documentation. */
export const READ_ROUTES: readonly RouteDef[] = [
  ...REFERENCE_ROUTES,
  ...COST_ROUTES,
  ...DETAIL_ROUTES,
  ...MONEY_ROUTES,
  ...DIRECTORY_ROUTES,
  ...MACHINE_ROUTES,
]
