import { errorChain } from '@ascribe/kit'
import type { RawHeaders, Upstream } from './types.ts'
import { NetTransport } from './upstream/net-transport.ts'

/** Asks upstreams small questions of our own, on connections of their own. */
export type UpstreamProbe = {
  /** GETs `target`: the status of the reply, whose body is not read, or why there is none within the upstream's time-outs. Never rejects. */
  ask(upstream: Upstream, question: { readonly target: string; readonly headers: RawHeaders }): Promise<number | string>
  close(): Promise<void>
}

export function createUpstreamProbe(): UpstreamProbe {
  const transport = new NetTransport()
  return {
    ask(upstream, { target, headers }) {
      const { promise, resolve } = Promise.withResolvers<number | string>()
      const call = transport.send(
        { upstream, method: 'GET', target, headers, knownHeaders: [], body: [] },
        {
          sent: () => {},
          head: resolve,
          headAlone: () => {},
          data: () => {},
          end: () => {},
          failed: (kind, cause) => resolve(cause === undefined ? kind : `${kind}: ${errorChain(cause)}`),
        },
      )
      // What it says besides its status is of no interest, and may have no end.
      return promise.finally(() => call.abort())
    },
    close: () => transport.close(),
  }
}
