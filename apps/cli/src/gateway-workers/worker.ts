import { once } from 'node:events'
import { InputError } from '@ascribe/kit'
import type { Gateway, Route, RouteSource } from '@ascribe/gateway'
import { createMeters, measureProcess, runProcess } from '@ascribe/service'
import type { MeterRegistry } from '@ascribe/service'
import { configuredRoutes } from '../configured-routes.ts'
import type { Context } from '../context.ts'
import { runGateway } from '../run-gateway.ts'
import { sandboxRoutes } from '../up-routes.ts'
import type { Beginning, FromWorker, Question, ToWorker } from './messages.ts'

/** Routes of the configuration, and where they come from. */
export type WorkerRoutes = { readonly routes: readonly Route[]; readonly routeSource?: RouteSource }

/** In case whoever started it says nothing more. */
const GRACE_MS = 20_000

/**
 * Runs as one of several gateways on a port, for the process that started it and as long as that lives. Signals are nothing to it: a Ctrl-C and
 * an end of the whole group reach the one who started it as well, who then says what to do. Gives the exit code.
 */
export async function runWorker(context: Context, from: WorkerRoutes): Promise<number> {
  if (process.send === undefined) throw new InputError('Cannot run as a worker: start `ascribe gateway` with the setting `gateway.workers`')
  const { logger } = context
  process.on('SIGUSR2', () => {
    // For whoever started it, if for anybody.
  })
  const commands = readCommands()
  const cut = new AbortController()
  let graceMs = GRACE_MS
  return await runProcess({
    name: 'gateway worker',
    logger,
    isDeaf: true,
    start: async (scope) => {
      await using stack = new AsyncDisposableStack()
      // Its channel ends with the process at the other end, however that ends: nobody would end this one any more.
      process.once('disconnect', () => {
        cut.abort()
        scope.stop()
      })
      const meters = createMeters()
      stack.use(measureProcess(meters))
      const beginning = await commands.beginning
      const gateway = await runGateway(context, { ...routesFor(context, beginning, from), logger, meters }, placeOf(beginning))
      stack.defer(() => gateway.close({ graceMs, cut: AbortSignal.any([cut.signal, scope.cut]) }))
      commands.follow((message) => {
        switch (message.kind) {
          case 'ask':
            say({ kind: 'answer', id: message.id, value: answerTo(message.what, gateway, meters) })
            return
          case 'listen':
            gateway.listen({ fd: message.fd }).catch((error: unknown) => logger.error('cannot accept for another worker', { error }))
            return
          case 'reread':
            gateway.reread()
            return
          case 'retire':
            gateway.retire().then(
              () => scope.stop(),
              (error: unknown) => scope.stop(error),
            )
            return
          case 'stop':
            graceMs = message.graceMs
            scope.stop()
            return
          case 'cut':
            cut.abort()
            scope.stop()
            return
          case 'begin':
            return
        }
      })
      say({ kind: 'ready', url: gateway.url })
      const owned = stack.move()
      return {
        async [Symbol.asyncDispose]() {
          await owned.disposeAsync()
          // It would keep the process.
          if (process.connected) process.disconnect?.()
        },
      }
    },
  })
}

function say(message: FromWorker): void {
  // Whoever has gone needs no answer.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

type Commands = { readonly beginning: Promise<Beginning>; follow(take: (message: ToWorker) => void): void }

/** What comes through the channel, in its order, from now on. */
function readCommands(): Commands {
  const begun = Promise.withResolvers<Beginning>()
  const early: ToWorker[] = []
  let take = (message: ToWorker): void => void early.push(message)
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'begin') begun.resolve(message.with)
    else take(message)
  })
  return {
    beginning: Promise.race([begun.promise, once(process, 'disconnect').then(() => refuseToBegin())]),
    follow(takes) {
      take = takes
      for (const message of early.splice(0)) takes(message)
    },
  }
}

function refuseToBegin(): never {
  throw new InputError('Cannot run as a worker: whoever started it has gone')
}

function routesFor(context: Context, { sandbox, upstream }: Beginning, routes: WorkerRoutes): WorkerRoutes {
  if (sandbox !== undefined) return { routes: sandboxRoutes(sandbox.url, sandbox.models) }
  if (upstream === undefined) return routes
  return {
    routes: configuredRoutes(context.config, upstream),
    routeSource: { file: context.configFile, read: () => configuredRoutes(context.reload().value, upstream) },
  }
}

function placeOf({ listen, workers, limits }: Beginning): Parameters<typeof runGateway>[2] {
  return { sockets: listen.map((fd) => ({ fd })), gateways: workers, ...(limits !== undefined && { limits }) }
}

function answerTo(what: Question, gateway: Gateway, meters: MeterRegistry): unknown {
  switch (what) {
    case 'metrics':
      return meters.render()
    case 'health':
      return { unready: gateway.unready, routes: gateway.routeTrouble }
    case 'limits':
      return gateway.limitsLeft()
  }
}
