import { createIdempotency } from '@ascribe/ledger'
import type { HostPort } from '@ascribe/service'
import { startListener } from '../http/listener.ts'
import { siteRoutes } from '../site/site-routes.ts'
import { whole } from '../start.ts'
import type { Api, ListenerDeps } from '../start.ts'
import type { Faults } from './faults.ts'
import { createAdminGate } from './gate.ts'
import { createOnce } from './once.ts'
import { adminRoutes } from './routes.ts'

export type AdminConfig = HostPort & { /** Present in sandboxes: what can be broken on purpose. */ readonly faults?: Faults }

/** Starts the platform's listener: credentials of its own, on a port of its own. */
export async function startAdmin(config: AdminConfig, given: ListenerDeps): Promise<Api> {
  const deps = whole(given)
  const served = adminRoutes(deps, config.faults)
  return startListener(deps, {
    address: config,
    gate: createAdminGate(deps),
    routes: [...served, ...siteRoutes('admin', served)],
    once: createOnce(createIdempotency(deps)),
  })
}
