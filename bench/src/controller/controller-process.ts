import { openJournalWriter } from '@ascribe/journal'
import { systemClock } from '@ascribe/kit'
import { startController } from '@ascribe/controller'
import { createLogger, createMeters, tryLock } from '@ascribe/service'

// The controller as `ascribe controller` starts it. `controller-process.ts KUBECONFIG DIR CONCURRENCY`

const [kubeconfig = '', dir = '', concurrency = '32'] = process.argv.slice(2)
const logger = createLogger({ name: 'controller', level: 'error' })
const meters = createMeters()
const stop = new AbortController()
const journal = await openJournalWriter({ root: `${dir}/journal`, tryLock, clock: systemClock, logger, meters, ack: 'durable' })
const listen = { host: '127.0.0.1', port: 0 }
const controller = await startController(
  {
    kubeconfig,
    syncMs: 60_000,
    listGraceMs: 30_000,
    concurrency: Number(concurrency),
    leaderElect: true,
    kdcBridge: false,
    systemNamespace: 'ascribe-system',
    identity: `bench-${process.pid}`,
    health: listen,
    metrics: listen,
  },
  { cloud: {}, journal, audit: async () => {}, logger, meters },
  { signal: stop.signal, stop: () => stop.abort() },
)
process.once('SIGTERM', () => stop.abort())
stop.signal.addEventListener('abort', () => void end())
console.log('ready')

async function end(): Promise<void> {
  await controller[Symbol.asyncDispose]()
  await journal.close()
}
