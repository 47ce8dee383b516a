import { systemClock } from '@ascribe/kit'
import { startApi } from '@ascribe/api'
import type { Gateway, Route } from '@ascribe/gateway'
import { ingestCursorNow, listPriceVersions } from '@ascribe/ledger'
import { SANDBOX_MODELS, startEngine } from '@ascribe/sandbox'
import { createMeters, measureProcess, startOps, tryLock } from '@ascribe/service'
import type { ProcessScope } from '@ascribe/service'
import { createSettler, publishPolicy } from '@ascribe/settler'
import { applyPrices } from './commands/prices.ts'
import { routesOf } from './config.ts'
import type { Config } from './config.ts'
import type { Context } from './context.ts'
import { prepareDataDir } from './data-dir.ts'
import { demoOf } from './demo.ts'
import type { Demo } from './demo.ts'
import { DataDirInUseError } from './errors.ts'
import { follow } from './follow.ts'
import { openLedger } from './open-ledger.ts'
import type { OpenLedger } from './open-ledger.ts'
import { readPriceFile } from './price-file.ts'
import { runGateway } from './run-gateway.ts'
import { SANDBOX_PRICES } from './sandbox-prices.ts'
import { serverSecretOf } from './server-secret.ts'
import { settleInBackground } from './settle-in-background.ts'
import { catchAllRoute, sandboxRoutes } from './up-routes.ts'
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
  prepareDataDir(dir)
  await using stack = new AsyncDisposableStack()
  const lock = tryLock(dir.upLock)
  if (lock === undefined) throw new DataDirInUseError(`Cannot start on ${dir.root}: another \`ascribe up\` runs on it`)
  stack.use(lock)
  const meters = createMeters()
  stack.use(measureProcess(meters))
  const ledger = stack.use(await openLedger(context, { name: 'up', logger, migrate: true }))
  const { db } = ledger
  const after = await ingestCursorNow(db)
  const demo = await demoOf(context, db)
  await publishPolicy(db, dir.policy, tryLock)
  await applyFirstPrices(ledger, { file: options.prices, isSandbox: isSandboxed(config, options) })
  const settler = createSettler({
    db,
    journal: dir.journal,
    policy: dir.policy,
    tryLock,
    clock: systemClock,
    logger: logger.child({ part: 'settler' }),
    meters,
  })
  const followers = new AbortController()
  stack.defer(() => followers.abort())
  stack.use(settleInBackground(settler, { lockPath: dir.settlerLock, scope }))
  const { routes, upstream, model } = await reachable(context, options, stack)
  const gateway = await runGateway(context, { routes, logger: logger.child({ part: 'gateway' }), meters })
  stack.defer(() => gateway.close({ graceMs: DRAIN_MS, cut: scope.cut }))
  const api = stack.use(
    await startApi(config.api, { db, serverSecret: serverSecretOf(context), logger: logger.child({ part: 'api' }), meters }),
  )
  const ops = stack.use(await startOps({ ...config.ops, meters, ready: () => readiness(gateway, settler.trouble) }))
  const owned = stack.move()
  return {
    gateway: gateway.url,
    api: api.url,
    metrics: ops.url,
    upstream,
    model,
    demo,
    follow(write, style) {
      follow({ db, after, signal: followers.signal, style, write }).catch((error: unknown) => scope.stop(error))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function readiness(gateway: Gateway, trouble: string | undefined): Record<string, { ok: boolean; detail?: string }> {
  const check = (fault: string | undefined): { ok: boolean; detail?: string } =>
    fault === undefined ? { ok: true } : { ok: false, detail: fault }
  return { journal: check(gateway.unready), settler: check(trouble) }
}

type FirstPrices = { readonly file: string | undefined; readonly isSandbox: boolean }

/** Prices of a file, or those of the sandbox for its models where there are none yet. The first book is in force from the beginning. */
async function applyFirstPrices({ db }: OpenLedger, { file, isSandbox }: FirstPrices): Promise<void> {
  const isFirst = (await listPriceVersions(db)).length === 0
  if (file !== undefined) await applyPrices(db, readPriceFile(file), isFirst ? 'beginning' : undefined)
  else if (isFirst && isSandbox) await applyPrices(db, readPriceFile(SANDBOX_PRICES), 'beginning')
}

/** Whether there is no engine but our own. */
function isSandboxed(config: Config, { upstream }: UpOptions): boolean {
  return upstream === undefined && config.gateway.routes.length === 0
}

type Reachable = { readonly routes: readonly Route[]; readonly upstream: string; readonly model: string }

async function reachable(context: Context, { upstream }: UpOptions, stack: AsyncDisposableStack): Promise<Reachable> {
  const routes = routesOf(context.config)
  if (upstream !== undefined) {
    const named = routes.filter((route) => route.models.length > 0)
    return { routes: [...named, catchAllRoute(upstream)], upstream, model: named[0]?.models[0] ?? 'YOUR-MODEL' }
  }
  if (routes.length > 0) {
    const model = routes.flatMap((route) => route.models)[0] ?? 'YOUR-MODEL'
    return { routes, upstream: routes.map((route) => route.upstream.origin).join(', '), model }
  }
  const engine = stack.use(await startEngine({ host: '127.0.0.1', port: 0 }))
  const models = SANDBOX_MODELS.map(({ id }) => id)
  return { routes: sandboxRoutes(engine.url, models), upstream: `${engine.url} (sandbox)`, model: models[0] ?? '' }
}
