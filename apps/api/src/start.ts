import type { ServerSecret } from '@ascribe/identity'
import type { Logger, Meters } from '@ascribe/kit'
import type { Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { HostPort } from '@ascribe/service'
import { authenticateSender } from './event-sender.ts'
import type { EventsConfig } from './event-routes.ts'
import { startListener } from './http/listener.ts'
import { createPublicGate } from './http/public-gate.ts'
import { consoleRoutes } from './console/console-routes.ts'
import type { ConsoleSite } from './console/console-routes.ts'
import { publicRoutes } from './public-routes.ts'
import { createSignIn } from './sign-in.ts'
import type { SignInConfig } from './sign-in.ts'
import type { ClusterBackend } from './clusters/backend.ts'
import { siteRoutes } from './site/site-routes.ts'
import { noTrail } from './trail.ts'

/** What every listener is given. */
export type ListenerDeps = {
  /** A pool under the listener's own role. */
  readonly db: Database
  /** Absent: what leaves a line is refused. */
  readonly trail?: Pick<Trail, 'append' | 'appendIn' | 'signedHead'>
  readonly serverSecret: ServerSecret
  readonly logger: Logger
  readonly meters: Meters
  /** Epoch milliseconds. Default: the machine's. */
  readonly clock?: () => number
  /** Returns when gateways of this machine know of a change of keys. Default: at once. */
  readonly published?: () => Promise<void>
}

export type PublicConfig = HostPort & {
  /** Events of others; absent: none are taken in, and none can be read. */
  readonly events?: EventsConfig
  /** The customers' identity provider; absent: API keys alone. */
  readonly signIn?: SignInConfig
  /** Where clusters are made; absent: none are, and whoever asks is told so. */
  readonly clusters?: ClusterBackend
  /** Absent: no console is served. */
  readonly console?: ConsoleSite
}

export type Api = AsyncDisposable & { readonly url: string }

/** With what is left out. */
export function whole(deps: ListenerDeps): Required<ListenerDeps> {
  return { trail: noTrail, clock: Date.now, published: async () => {}, ...deps }
}

/** Starts the customers' listener. */
export async function startApi(config: PublicConfig, given: ListenerDeps): Promise<Api> {
  const deps = whole(given)
  const { events, console: site } = config
  const signIn = createSignIn(config.signIn, deps)
  const gate = createPublicGate({
    db: deps.db,
    identify: ({ method, message }, wanted) => signIn.caller.identify({ method, rawHeaders: message.rawHeaders }, wanted),
    ...(events !== undefined && {
      identifySender: async (incoming) => ({
        kind: 'sender',
        sender: await authenticateSender(deps, events.tokens, incoming.headers.authorization),
      }),
    }),
  })
  const served = [...publicRoutes(deps, { events, clusters: config.clusters }), ...signIn.routes]
  const page = { mode: 'customer', apiBase: '', hasLogin: config.signIn?.client !== undefined, mayExport: true } as const
  const pages = site === undefined ? [] : consoleRoutes('public', { site, config: () => page })
  const routes = [...served, ...siteRoutes('public', served), ...pages]
  return startListener(deps, { address: config, gate, routes, ...(events !== undefined && { rawBytesMax: events.bodySize }) })
}
