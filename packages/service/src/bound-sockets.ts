import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { assert } from '@ascribe/kit'
import { listenFailure } from './listen.ts'
import type { HostPort } from './listen.ts'

/** node:net's own, of which its types do not know yet: a socket that is bound, and neither listened on nor connected. */
type NetBoundSocket = { address(): { readonly port: number }; fd(): number; close(): void }
type BoundSocketOptions = { readonly host: string; readonly port: number; readonly reusePort: boolean }
const { BoundSocket } = net as unknown as { readonly BoundSocket: new (options: BoundSocketOptions) => NetBoundSocket }

/** Sockets of one address, held and never accepted from: what others accept on them goes on whoever of those dies. */
export type BoundSockets = Disposable & {
  readonly address: HostPort
  /** To be inherited by the processes that accept. */
  readonly fds: readonly number[]
}

/**
 * Binds `count` sockets to one address where the kernel spreads connections over them (Linux: SO_REUSEPORT), else one for all. Refuses an
 * address at which anybody listens, also one who would share it. @throws {ListenError}
 */
export async function bindSockets(address: HostPort, count: number): Promise<BoundSockets> {
  const host = net.isIP(address.host) === 0 ? await addressOf(address) : address.host
  const held: NetBoundSocket[] = []
  const bind = (port: number, reusePort: boolean): NetBoundSocket => {
    const bound = new BoundSocket({ host, port, reusePort })
    held.push(bound)
    return bound
  }
  try {
    // Of this user's programs each may join in where the port is shared: whoever is there already must not notice it by losing connections.
    const probe = new BoundSocket({ host, port: address.port, reusePort: false })
    const { port } = probe.address()
    if (count === 1 || !spreads()) held.push(probe)
    else {
      probe.close()
      for (let index = 0; index < count; index += 1) bind(port, true)
    }
    assert(held.length > 0, 'a socket is bound')
    return {
      address: { host: address.host, port },
      fds: held.map((bound) => bound.fd()),
      [Symbol.dispose]: () => held.splice(0).forEach((bound) => bound.close()),
    }
  } catch (cause) {
    for (const bound of held) bound.close()
    throw listenFailure(address, cause)
  }
}

async function addressOf(address: HostPort): Promise<string> {
  try {
    return (await lookup(address.host)).address
  } catch (cause) {
    throw listenFailure(address, cause)
  }
}

/** libuv offers SO_REUSEPORT where the kernel spreads connections over the sockets; on macOS the last one would get all. */
function spreads(): boolean {
  return process.platform === 'linux' || process.platform === 'freebsd'
}
