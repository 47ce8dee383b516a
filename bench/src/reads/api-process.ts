import { startApi } from '@ascribe/api'
import { openDatabase } from '@ascribe/postgres'
import type { SocketTarget } from '@ascribe/postgres'
import { createLogger, createMeters } from '@ascribe/service'

// The customers' listener as `ascribe api` starts it. `api-process.ts TARGET_JSON SECRET_HEX NOW`

const [target = '{}', secret = '', now = '0'] = process.argv.slice(2)
// Made by reads-section.ts from the embedded server's own.
const db = openDatabase({ ...(JSON.parse(target) as SocketTarget), applicationName: 'ascribe bench api', prepared: 256 })
const api = await startApi(
  { host: '127.0.0.1', port: 0 },
  { db, serverSecret: Buffer.from(secret, 'hex'), logger: createLogger({ name: 'api' }), meters: createMeters(), clock: () => Number(now) },
)
process.once('SIGTERM', () => void api[Symbol.asyncDispose]().then(() => db.close()))
console.log(JSON.stringify({ url: api.url }))
