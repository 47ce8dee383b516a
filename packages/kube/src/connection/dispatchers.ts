import { Agent, ProxyAgent } from 'undici'
import type { Dispatcher } from 'undici'
import { KubeConfigError } from '../errors.ts'
import type { Credentials } from './credentials.ts'

/** Requests of one process to one API server at a time; more wait for their turn. client-go's default of 5 a second is far below. */
const CALLS_MAX = 32
/** A list of 500 objects of 100 KB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
/** Go's server closes idle connections after 90 s or more; ours go first, so that no request meets a dying one. */
const REST_MS = 20_000
const CONNECT_MS = 10_000

/** Connections made with one set of TLS settings: some for calls, others for watches, so that neither waits for the other. */
type Pools = { readonly tlsId: string; readonly calls: Dispatcher; readonly streams: Dispatcher }

export type Dispatchers = AsyncDisposable & { for(credentials: Credentials): Pools }

/**
 * Keeps connections until the TLS settings change (a new CA bundle or client certificate): then new requests get new connections and the
 * old ones end with the requests they carry. HTTP/1.1 only: one broken connection breaks one watch, not all, and watches over http2 were
 * seen to leak (ADR 0074).
 */
export function createDispatchers({ origin, proxyUrl }: { readonly origin: string; readonly proxyUrl: string | undefined }): Dispatchers {
  let pools: Pools | undefined
  const retired = new Set<Dispatcher>()
  if (proxyUrl?.startsWith('socks') === true)
    throw new KubeConfigError(`Cannot connect to ${origin}: its proxy-url is a socks proxy, which is not supported`)

  function make({ tls, tlsId }: Credentials): Pools {
    const common = { allowH2: false, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: REST_MS, connectTimeout: CONNECT_MS }
    const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 }
    const calls = { ...common, connections: CALLS_MAX, maxResponseSize: ANSWER_BYTES_MAX }
    const streams = common
    return proxyUrl === undefined
      ? { tlsId, calls: new Agent({ ...calls, connect }), streams: new Agent({ ...streams, connect }) }
      : {
          tlsId,
          calls: new ProxyAgent({ ...calls, uri: proxyUrl, requestTls: connect }),
          streams: new ProxyAgent({ ...streams, uri: proxyUrl, requestTls: connect }),
        }
  }

  function retire(old: Pools): void {
    for (const pool of [old.calls, old.streams]) {
      retired.add(pool)
      // Ends when its last request has ended; a watch does so within minutes by itself.
      void pool.close().then(
        () => retired.delete(pool),
        () => retired.delete(pool),
      )
    }
  }

  return {
    for(credentials) {
      if (pools?.tlsId === credentials.tlsId) return pools
      if (pools !== undefined) retire(pools)
      pools = make(credentials)
      return pools
    },
    async [Symbol.asyncDispose]() {
      const all = [...retired, ...(pools === undefined ? [] : [pools.calls, pools.streams])]
      pools = undefined
      await Promise.all(all.map((pool) => pool.destroy()))
    },
  }
}
