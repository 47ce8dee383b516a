import { startBareRelay, startWholeGateway } from './contestants.ts'
import type { Contestant, GatewayContestant } from './contestants.ts'
import { Unavailable } from './errors.ts'
import { startNginx } from './nginx.ts'
import { startPortkey } from './portkey.ts'
import type { Setting } from './setting.ts'

/** Who takes part. Each is a process; disposing the field stops them all. */
export type Field = AsyncDisposable & {
  readonly nginx: Contestant | undefined
  readonly relay: Contestant
  readonly gateway: GatewayContestant
  readonly gatewayAsync: GatewayContestant
  readonly portkey: Contestant | undefined
}

/** Starts everybody. A peer that cannot be had here is left out, in words. */
export async function startField(setting: Setting): Promise<Field> {
  const { peer, cache, scratch, missing } = setting
  await using stack = new AsyncDisposableStack()
  const attempt = async (starting: Promise<Contestant>): Promise<Contestant | undefined> => {
    try {
      return stack.use(await starting)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      missing(error.message)
      return undefined
    }
  }
  setting.progress('starting the contestants')
  const nginx = await attempt(startNginx(peer.port, { cache, scratch }))
  const portkey = await attempt(startPortkey(peer.port, cache))
  const relay = stack.use(await startBareRelay(peer.port))
  const gateway = stack.use(await startWholeGateway(peer.port, { ack: 'durable', scratch }))
  const gatewayAsync = stack.use(await startWholeGateway(peer.port, { ack: 'async', scratch }))
  const owned = stack.move()
  return { nginx, relay, gateway, gatewayAsync, portkey, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
