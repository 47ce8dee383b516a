import { systemClock } from '@ascribe/kit'
import type { Meters } from '@ascribe/kit'
import type { Route } from '@ascribe/gateway'
import { alertSecrets } from '@ascribe/identity'
import { createTrail, ingestCursorNow, listPriceVersions } from '@ascribe/ledger'
import type { EmbeddedPostgres } from '@ascribe/postgres'
import { SANDBOX_MODELS, startEngine } from '@ascribe/sandbox'
import { tryLock } from '@ascribe/service'
import type { ProcessScope } from '@ascribe/service'
import { createSettler, publishPolicy } from '@ascribe/settler'
import { applyPrices } from './apply-prices.ts'
import { auditSignerOf } from './audit-key.ts'
import { openBroker } from './broker.ts'
import type { Context } from './context.ts'
import { demoOf } from './demo.ts'
import { follow } from './follow.ts'
import { openLedger } from './open-ledger.ts'
import type { OpenLedger } from './open-ledger.ts'
import { readPriceFile } from './price-file.ts'
import type { PriceFile } from './price-file.ts'
import type { Readiness } from './readiness.ts'
import { workerArguments } from './gateway-workers/arguments.ts'
import { rollOnSignal, startServing } from './gateway-workers/serving.ts'
import type { Serving } from './gateway-workers/serving.ts'
import { SANDBOX_PRICES } from './sandbox-prices.ts'
import { serverSecretOf } from './server-secret.ts'
import { settleInBackground } from './settle-in-background.ts'
import type { Everything } from './up.ts'
import { startUpListeners } from './up-listeners.ts'
import { sandboxRoutes } from './up-routes.ts'

/** The gateway's share of a stop: what is still open after it is cut, and settled. */
const DRAIN_MS = 20_000

/** What `ascribe up` has begun when it loads the rest. */
export type Begun = {
  readonly scope: ProcessScope
  /** Owns whatever is started. */
  readonly stack: AsyncDisposableStack
  readonly meters: Meters
  readonly readiness: Readiness
  readonly price: PriceFile | undefined
  /** The routes to real engines; none: the sandbox serves. */
  readonly configured: readonly Route[]
  /** The same as the configuration has them now. */
  readonly readConfigured: () => readonly Route[]
  /** The embedded database, unless there is another. */
  readonly embedded: Promise<EmbeddedPostgres> | undefined
  readonly sandboxFaults: boolean
  /** What goes before the routes of the configuration. */
  readonly upstream: string | undefined
  /** The environment of workers. */
  readonly env: NodeJS.ProcessEnv
  /** Whom to ask for metrics and health as soon as somebody serves. */
  readonly served: Served
}

export type Served = { serving: Serving | undefined }

/** Starts gateway, settler and API. The gateway starts beside the database: it needs none. */
export async function startParts(context: Context, begun: Begun): Promise<Omit<Everything, 'metrics' | typeof Symbol.asyncDispose>> {
  const { config, dir, logger } = context
  const { scope, stack, meters, readiness, price, configured, embedded } = begun
  const { routes, upstream, model, sandbox } = await reachable(configured, stack)
  const routeSource = configured.length === 0 ? undefined : { file: context.configFile, read: begun.readConfigured }
  const serving = startServing(context, {
    routes,
    routeSource,
    engines: { ...(begun.upstream !== undefined && { upstream: begun.upstream }), ...(sandbox !== undefined && { sandbox }) },
    workerArgs: workerArguments(context),
    env: begun.env,
    logger: logger.child({ part: 'gateway' }),
    meters,
  })
  // Heard of where it is waited for.
  serving.catch(() => {})
  stack.defer(() => closeFailed(serving))
  const ledger = stack.use(await openLedger(context, { name: 'up', logger, migrate: true, embedded }))
  const { db } = ledger
  const after = await ingestCursorNow(db)
  const demo = await demoOf(context, db)
  await publishPolicy(db, dir.policy, tryLock)
  await applyFirstPrices(ledger, price ?? (configured.length === 0 ? readPriceFile(SANDBOX_PRICES) : undefined))
  const nats = openBroker(config, { name: 'up', logger })
  if (nats !== undefined) stack.use(nats)
  const settler = createSettler({
    db,
    journal: dir.journal,
    policy: dir.policy,
    tryLock,
    clock: systemClock,
    logger: logger.child({ part: 'settler' }),
    meters,
    ...(nats !== undefined && { nats }),
    trail: stack.use(createTrail({ db, signer: auditSignerOf(context), logger, meters })),
    webhookSecrets: (alert) => alertSecrets(serverSecretOf(context), alert),
  })
  const followers = new AbortController()
  stack.defer(() => followers.abort())
  stack.use(settleInBackground(settler, { lockPath: dir.settlerLock, scope }))
  const gateway = await serving
  stack.defer(() => gateway.close({ graceMs: DRAIN_MS, cut: scope.cut }))
  const { api, operators } = await startUpListeners(context, {
    stack,
    ledger,
    logger: logger.child({ part: 'api' }),
    meters,
    demo,
    sandboxFaults: begun.sandboxFaults,
    gatewayUrl: gateway.url,
  })
  begun.served.serving = gateway
  stack.use(rollOnSignal(gateway, logger))
  // A gateway serves while the database is away: journals keep what is not yet in it.
  readiness.watch('settler', () => settler.trouble, { isVital: false })
  stack.defer(readiness.stopping)
  return {
    gateway: gateway.url,
    api,
    operators,
    upstream,
    model,
    demo,
    follow(write, style) {
      follow({ db, after, signal: followers.signal, style, logger, write }).catch((error: unknown) =>
        logger.error('records are not followed any more', { error }),
      )
    },
  }
}

/** For a start that fails before the gateway has found its place: afterwards it is closed already, and this does nothing. */
async function closeFailed(serving: Promise<Serving>): Promise<void> {
  const gateway = await serving.catch(() => undefined)
  await gateway?.close({ graceMs: 0 })
}

/** A price book, in force from the beginning where there is none yet; that of the sandbox only there. */
async function applyFirstPrices({ db }: OpenLedger, price: PriceFile | undefined): Promise<void> {
  const isFirst = (await listPriceVersions(db)).length === 0
  if (price === undefined || (price.file === SANDBOX_PRICES && !isFirst)) return
  await applyPrices(db, {
    text: price.text,
    file: price.file,
    appliedBy: 'ascribe up',
    ...(isFirst && { effectiveFrom: 'beginning' as const }),
  })
}

type Reachable = {
  readonly routes: readonly Route[]
  readonly upstream: string
  readonly model: string
  readonly sandbox?: { readonly url: string; readonly models: readonly string[] }
}

async function reachable(configured: readonly Route[], stack: AsyncDisposableStack): Promise<Reachable> {
  if (configured.length > 0) {
    const model = configured.flatMap((route) => route.models)[0] ?? 'YOUR-MODEL'
    const origins = new Set(configured.map((route) => route.upstream.origin))
    return { routes: configured, upstream: [...origins].join(', '), model }
  }
  const engine = stack.use(await startEngine({ host: '127.0.0.1', port: 0 }))
  const models = SANDBOX_MODELS.map(({ id }) => id)
  return {
    routes: sandboxRoutes(engine.url, models),
    upstream: `${engine.url} (sandbox)`,
    model: models[0] ?? '',
    sandbox: { url: engine.url, models },
  }
}
