import type { ServerSecret } from '@ascribe/identity'
import type { Logger, Meters } from '@ascribe/kit'
import type { Database } from '@ascribe/postgres'
import type { HostPort } from '@ascribe/service'
import { authenticateSender } from './event-sender.ts'
import type { EventsConfig } from './event-routes.ts'
import { startListener } from './http/listener.ts'
import { createPublicGate } from './http/public-gate.ts'
import { createKeyCaller } from './key-caller.ts'
import { publicRoutes } from './public-routes.ts'
import { noTrail } from './trail.ts'
import type { Trail } from './trail.ts'

export type ApiConfig = HostPort & {
  /** Events of others; absent: none are taken in, and none can be read. */
  readonly events?: EventsConfig
}

export type ApiDeps = {
  readonly db: Database
  readonly serverSecret: ServerSecret
  /** Absent: what leaves a line is refused. */
  readonly trail?: Trail
  readonly logger: Logger
  readonly meters: Meters
  /** Epoch milliseconds. Default: the machine's. */
  readonly clock?: () => number
}

export type Api = AsyncDisposable & { readonly url: string }

/** Starts the customers' listener. */
export async function startApi(config: ApiConfig, given: ApiDeps): Promise<Api> {
  const deps = { trail: noTrail, clock: Date.now, ...given }
  const { db } = deps
  const { events } = config
  const gate = createPublicGate({
    db,
    identify: createKeyCaller(deps),
    ...(events !== undefined && {
      identifySender: async (incoming) => ({
        kind: 'sender',
        sender: await authenticateSender(deps, events.tokens, incoming.headers.authorization),
      }),
    }),
  })
  return startListener(deps, {
    address: config,
    gate,
    routes: publicRoutes({ events }),
    ...(events !== undefined && { rawBytesMax: events.bodySize }),
  })
}
