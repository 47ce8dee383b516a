import type { Gauge } from '@ascribe/kit'

export type ConnectionBoundsOptions = {
  /** Connections at once. */
  readonly connectionsMax: number
  /** Of them, from one address. */
  readonly peerConnectionsMax: number
  readonly connections: Gauge
  /** One was cut off without a word. */
  readonly onDropped: () => void
}

/** Beyond the bound, so many in a hundred still get a reply that says why; those after them are cut off. */
const REFUSED_PERCENT = 10

/** How many connections there are, in all and of one address. */
export class ConnectionBounds {
  readonly #options: ConnectionBoundsOptions
  readonly #ofPeer = new Map<string, number>()
  readonly #repliedMax: number
  #count = 0

  constructor(options: ConnectionBoundsOptions) {
    this.#options = options
    this.#repliedMax = options.connectionsMax + Math.ceil((options.connectionsMax * REFUSED_PERCENT) / 100)
  }

  /** `taken`: it has a place. `refused`: it has one just for a word. `none`: it has none, and does not {@link leave}. */
  enter(peer: string): 'taken' | 'refused' | 'none' {
    const { connectionsMax, peerConnectionsMax, connections, onDropped } = this.#options
    if (this.#count >= this.#repliedMax) {
      onDropped()
      return 'none'
    }
    const ofPeer = (this.#ofPeer.get(peer) ?? 0) + 1
    this.#ofPeer.set(peer, ofPeer)
    this.#count += 1
    connections.set(this.#count)
    return this.#count > connectionsMax || ofPeer > peerConnectionsMax ? 'refused' : 'taken'
  }

  leave(peer: string): void {
    const left = (this.#ofPeer.get(peer) ?? 1) - 1
    if (left === 0) this.#ofPeer.delete(peer)
    else this.#ofPeer.set(peer, left)
    this.#count -= 1
    this.#options.connections.set(this.#count)
  }
}
