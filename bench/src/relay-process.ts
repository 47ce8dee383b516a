import { silentLogger, silentMeters } from '@ascribe/kit'
import { createRelay } from '@ascribe/relay'
import type { Exchange, Upstream } from '@ascribe/relay'

// The relay and nothing around it: what its bytes cost before anybody reads them. `relay-process.ts ENGINE_PORT`

const BODY_BYTES_MAX = 1 << 20

const upstream: Upstream = { origin: `http://127.0.0.1:${process.argv[2]}` }
const ready = Promise.resolve()

const exchange: Exchange = {
  head: (status, headers) => ({ status, headers }),
  data: (chunk, sink) => sink.write(chunk),
  end: (sink) => sink.end(),
  fail: (_failure, sink) => sink.reset(),
  clientGone: () => ({ ms: 0, bytes: 0 }),
}

const relay = await createRelay({
  host: '127.0.0.1',
  port: 0,
  onRequest: ({ method, target, headers }) => ({
    kind: 'read',
    bodyBytesMax: BODY_BYTES_MAX,
    decide: (body) => ({ kind: 'forward', upstream, method, target, headers, body: [body], ready, exchange }),
  }),
  refuse: () => ({ status: 400, headers: [], body: '' }),
  logger: silentLogger,
  meters: silentMeters,
})

process.once('SIGTERM', () => void relay.close({ graceMs: 0 }))
console.log(JSON.stringify({ port: Number(new URL(relay.url).port) }))
