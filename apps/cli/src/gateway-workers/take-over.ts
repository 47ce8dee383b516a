import { join } from 'node:path'
import { askForSockets, offerSockets } from '@ascribe/service'
import type { HostPort, ProcessScope, Taken } from '@ascribe/service'
import type { Context } from '../context.ts'
import type { Serving } from './serving.ts'

/** Where a gateway on a port offers its place: one for each address and port of a data directory. */
function offerPath({ dir, config }: Context, port: number): string {
  return join(dir.root, 'run', `gateway-${config.gateway.host.replaceAll(/[^\w.]/g, '_')}-${port}.sock`)
}

/** What a gateway that runs on the same port and data directory hands over; `undefined`: there is none. @throws {HandoverError} */
export async function takeFromOther(context: Context): Promise<Taken | undefined> {
  const { port } = context.config.gateway
  return port === 0 ? undefined : await askForSockets(offerPath(context, port))
}

/**
 * Offers this gateway's place to one that is started beside it. When that one is ready this one accepts nobody any more, ends what is open
 * within the time for that, and stops. `leave` frees what the other one needs as well.
 */
export async function offerPlace(
  context: Context,
  { serving, scope, leave }: { readonly serving: Serving; readonly scope: ProcessScope; readonly leave: () => Promise<void> },
): Promise<AsyncDisposable> {
  const { logger, config } = context
  const { port }: Pick<HostPort, 'port'> = { port: Number(new URL(serving.url).port) }
  return await offerSockets({
    path: offerPath(context, port),
    fds: () => serving.fds,
    logger,
    async onTakeover() {
      await leave()
      const late = setTimeout(() => scope.stop(), config.gateway.handover_time)
      serving.retire().then(
        () => {
          clearTimeout(late)
          logger.info('everything that was open has ended')
          scope.stop()
        },
        (error: unknown) => scope.stop(error),
      )
    },
  })
}
