import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { catchAllRoute, startGateway } from '@ascribe/gateway'
import { createApiKey, writePolicyFile } from '@ascribe/identity'
import { createLogger, createMeters, tryLock } from '@ascribe/service'

// The gateway as `ascribe gateway` starts it, with real meters and a real journal. `gateway-process.ts ENGINE_PORT ACK DIR [CONNECTIONS]`

const [enginePort = '', ack = 'durable', dir = '', connections] = process.argv.slice(2)
const route = catchAllRoute(`http://127.0.0.1:${enginePort}`)
const serverSecret = randomBytes(32)
const policy = join(dir, 'policy.json')
const { key, ...verifier } = createApiKey(serverSecret)
writePolicyFile(
  policy,
  {
    ledger: 'bench',
    version: 1,
    keys: [{ ...verifier, authId: 'key_01JB2M6R7W9F', organizationId: '018f2f7e-5a10-7c3a-9d36-3f2f6b1c8e11', scopes: ['inference'] }],
  },
  tryLock,
)

const gateway = await startGateway(
  {
    host: '127.0.0.1',
    port: 0,
    routes: [connections === undefined ? route : { ...route, upstream: { ...route.upstream, connectionsMax: Number(connections) } }],
    trust: { networks: ['127.0.0.0/8'] },
    drain: { ms: 10_000, bytes: 4 << 20 },
    bodyBytesMax: 32 << 20,
    ack: ack === 'async' ? 'async' : 'durable',
  },
  { journal: join(dir, 'journal'), policy },
  { serverSecret, tryLock, logger: createLogger({ name: 'gateway' }), meters: createMeters() },
)

process.once('SIGTERM', () => void gateway.close({ graceMs: 1_000 }))
console.log(JSON.stringify({ port: Number(new URL(gateway.url).port), key }))
