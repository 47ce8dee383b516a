import type { Route } from '../handler.ts'
import { keyRoutes } from '../writes/keys.ts'
import type { KeyDeps } from '../writes/keys.ts'
import { budgetRoutes } from './budgets.ts'
import { creditRoutes } from './credits.ts'
import { directoryRoutes } from './directory.ts'
import { faultRoute } from './faults.ts'
import type { Faults } from './faults.ts'
import { organizationRoutes } from './organizations.ts'
import { ownerRoutes } from './owners.ts'
import { priceRoutes } from './prices.ts'
import { termsRoutes } from './terms.ts'

/** Every row of the admin listener. */
export function adminRoutes(deps: KeyDeps, faults: Faults | undefined): readonly Route[] {
  return [
    ...organizationRoutes,
    ...keyRoutes(deps),
    ...directoryRoutes,
    ...priceRoutes,
    ...budgetRoutes,
    ...termsRoutes,
    ...creditRoutes,
    ...ownerRoutes,
    ...(faults === undefined ? [] : [faultRoute(faults)]),
  ]
}
