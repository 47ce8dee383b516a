import { appendFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { openJournalWriter } from '@ascribe/journal'
import { assert } from '@ascribe/kit'
import { createLogger, createMeters, tryLock } from '@ascribe/service'
import type { MinterAddress } from '../../src/process/settings.ts'
import { startController } from '../../src/process/start-controller.ts'
import { scaledClocks, scaledNow } from './scaled-clocks.ts'
import type { Scale } from './scaled-clocks.ts'

// One process of the controller, in a thread: it can be ended in the middle of anything, and made to stand still.

export type WorkerData = {
  readonly name: string
  readonly kubeconfig: string
  readonly dir: string
  readonly scale: Scale
  readonly concurrency: number
  readonly syncMs: number
  readonly minter: MinterAddress | undefined
}
export type ToWorker = { readonly do: 'stop' } | { readonly do: 'freeze'; readonly ms: number }
export type FromWorker =
  | { readonly is: 'ready' }
  | { readonly is: 'ended'; readonly why: string }
  | { readonly is: 'memory'; readonly rssBytes: number }

if (!isMainThread) await main(workerData as WorkerData)

async function main(data: WorkerData): Promise<void> {
  const port = parentPort
  assert(port !== null, 'a worker has a parent')
  const tell = (message: FromWorker): void => port.postMessage(message)
  const stop = new AbortController()
  const ended = Promise.withResolvers<string>()
  port.on('message', (message: ToWorker) => {
    // The whole loop stands still, timers, sockets and all: SIGSTOP of one process among others.
    if (message.do === 'freeze') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.ms)
    else stop.abort()
  })
  const log = `${data.dir}/log`
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      appendFileSync(log, chunk)
      done()
    },
  })
  const logger = createLogger({ name: data.name, level: 'debug', format: 'json', stream })
  const clocks = scaledClocks(data.scale)
  const meters = createMeters()
  const clock = (): number => Math.floor(scaledNow(data.scale))
  const journal = await openJournalWriter({ root: `${data.dir}/journal`, tryLock, clock, logger, meters, ack: 'durable' })
  const audit = async (record: object): Promise<void> => appendFileSync(`${data.dir}/mints`, `${JSON.stringify(record)}\n`)
  const end = (error?: unknown): void => ended.resolve(error instanceof Error ? error.message : 'it was told to')
  stop.signal.addEventListener('abort', () => end())
  const listen = { host: '127.0.0.1', port: 0 }
  const controller = await startController(
    {
      kubeconfig: data.kubeconfig,
      syncMs: data.syncMs,
      listGraceMs: 30_000,
      concurrency: data.concurrency,
      leaderElect: true,
      kdcBridge: false,
      systemNamespace: 'ascribe-system',
      identity: data.name,
      health: listen,
      metrics: listen,
    },
    { cloud: { minter: data.minter }, journal, audit, logger, meters, clocks },
    { signal: stop.signal, stop: end },
  )
  tell({ is: 'ready' })
  const why = await ended.promise
  await controller[Symbol.asyncDispose]()
  await journal.close()
  tell({ is: 'ended', why })
  port.close()
}
