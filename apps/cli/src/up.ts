import { systemClock } from '@ascribe/kit'
import { startApi } from '@ascribe/api'
import { catchAllRoute } from '@ascribe/gateway'
import type { Route } from '@ascribe/gateway'
import { ingestCursorNow, listPriceVersions } from '@ascribe/ledger'
import { SANDBOX_MODELS, startEngine } from '@ascribe/sandbox'
import { createMeters, measureProcess, startOps, tryLock } from '@ascribe/service'
import type { ProcessScope } from '@ascribe/service'
import { createSettler, publishPolicy } from '@ascribe/settler'
import { applyPrices } from './apply-prices.ts'
import { routesOf } from './config.ts'
import type { Config } from './config.ts'
import { openBroker } from './broker.ts'
import type { Context } from './context.ts'
import { prepareDataDir } from './data-dir.ts'
import { demoOf } from './demo.ts'
import type { Demo } from './demo.ts'
import { DataDirInUseError } from './errors.ts'
import { eventsConfigOf } from './event-settings.ts'
import { follow } from './follow.ts'
import { openLedger } from './open-ledger.ts'
import type { OpenLedger } from './open-ledger.ts'
import { readPriceFile } from './price-file.ts'
import type { PriceFile } from './price-file.ts'
import { runGateway } from './run-gateway.ts'
import { SANDBOX_PRICES } from './sandbox-prices.ts'
import { createReadiness } from './readiness.ts'
import { serverSecretOf } from './server-secret.ts'
import { settleInBackground } from './settle-in-background.ts'
import { sandboxRoutes } from './up-routes.ts'
import type { Style } from './output.ts'

export type UpOptions = {
  /** Goes before the routes of the configuration; `undefined` and no routes there: the sandbox engine. */
  readonly upstream?: string
  /** A price book to put in force. */
  readonly prices?: string
}

/** What `ascribe up` brought up. */
export type Everything = AsyncDisposable & {
  readonly gateway: string
  readonly api: string
  readonly metrics: string
  readonly upstream: string
  readonly model: string
  readonly demo: Demo
  /** Writes a line for each record until everything stops. */
  follow(write: (line: string) => void, style: Style): void
}

/** The gateway's share of a stop: what is still open after it is cut, and settled. */
const DRAIN_MS = 20_000

/** Starts everything on one data directory, in this process. @throws {DataDirInUseError} */
export async function startEverything(context: Context, scope: ProcessScope, options: UpOptions): Promise<Everything> {
  const { config, dir, logger } = context
  // Before anything is made: what is wrong with the call must cost nothing.
  const price = options.prices === undefined ? undefined : readPriceFile(options.prices)
  const configured = configuredRoutes(config, options.upstream)
  prepareDataDir(dir)
  await using stack = new AsyncDisposableStack()
  const lock = tryLock(dir.upLock)
  if (lock === undefined) throw new DataDirInUseError(`Cannot start on ${dir.root}: another \`ascribe up\` runs on it`)
  stack.use(lock)
  const meters = createMeters()
  stack.use(measureProcess(meters))
  const readiness = createReadiness()
  // First on and last off: while it drains, a process is still asked how it is.
  const ops = stack.use(await startOps({ ...config.ops, meters, ready: readiness.report }))
  const ledger = stack.use(await openLedger(context, { name: 'up', logger, migrate: true }))
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
  })
  const followers = new AbortController()
  stack.defer(() => followers.abort())
  stack.use(settleInBackground(settler, { lockPath: dir.settlerLock, scope }))
  const { routes, upstream, model } = await reachable(configured, stack)
  const gateway = await runGateway(context, { routes, logger: logger.child({ part: 'gateway' }), meters })
  stack.defer(() => gateway.close({ graceMs: DRAIN_MS, cut: scope.cut }))
  const api = stack.use(
    await startApi(
      { ...config.api, events: eventsConfigOf(config.ingest) },
      { db, serverSecret: serverSecretOf(context), logger: logger.child({ part: 'api' }), meters },
    ),
  )
  readiness.watch('journal', () => gateway.unready)
  // A gateway serves while the database is away: journals keep what is not yet in it.
  readiness.watch('settler', () => settler.trouble, { isVital: false })
  stack.defer(readiness.stopping)
  const owned = stack.move()
  return {
    gateway: gateway.url,
    api: api.url,
    metrics: ops.url,
    upstream,
    model,
    demo,
    follow(write, style) {
      follow({ db, after, signal: followers.signal, style, logger, write }).catch((error: unknown) =>
        logger.error('records are not followed any more', { error }),
      )
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
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

/** The routes to real engines; none: the sandbox serves. */
function configuredRoutes(config: Config, upstream: string | undefined): readonly Route[] {
  const routes = routesOf(config)
  if (upstream === undefined) return routes
  return [...routes.filter((route) => route.models.length > 0), catchAllRoute(upstream)]
}

type Reachable = { readonly routes: readonly Route[]; readonly upstream: string; readonly model: string }

async function reachable(configured: readonly Route[], stack: AsyncDisposableStack): Promise<Reachable> {
  if (configured.length > 0) {
    const model = configured.flatMap((route) => route.models)[0] ?? 'YOUR-MODEL'
    const origins = new Set(configured.map((route) => route.upstream.origin))
    return { routes: configured, upstream: [...origins].join(', '), model }
  }
  const engine = stack.use(await startEngine({ host: '127.0.0.1', port: 0 }))
  const models = SANDBOX_MODELS.map(({ id }) => id)
  return { routes: sandboxRoutes(engine.url, models), upstream: `${engine.url} (sandbox)`, model: models[0] ?? '' }
}
