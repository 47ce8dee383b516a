import { mkdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Scale } from './scaled-clocks.ts'
import type { FromWorker, ToWorker, WorkerData } from './worker.ts'

export type ChaosProcess = {
  readonly name: string
  readonly isReady: () => boolean
  /** How it ended; `undefined` while it has not. */
  readonly ended: () => string | undefined
  /** `kill -9`: between two steps of its code, whatever it had sent stays sent. */
  kill(): Promise<void>
  /** SIGTERM. */
  stop(): Promise<void>
  /** SIGSTOP for so many real milliseconds. */
  freeze(ms: number): void
}

export type Processes = AsyncDisposable & {
  readonly all: readonly ChaosProcess[]
  /** Starts one more; the dead are forgotten. */
  start(): ChaosProcess
  /** Folders with logs, journals and records of minting, of the dead too. */
  readonly dirs: readonly string[]
  /** How those ended that ended by themselves. */
  readonly endings: readonly string[]
}

export type ProcessesOptions = Pick<WorkerData, 'kubeconfig' | 'concurrency' | 'syncMs' | 'minter'> & {
  readonly dir: string
  readonly scale: Scale
}

const KILLED = 'it was killed'
const TOLD = 'it was told to'

export function createProcesses({ dir, ...common }: ProcessesOptions): Processes {
  const alive = new Set<ChaosProcess>()
  const dirs: string[] = []
  const endings: string[] = []

  function start(): ChaosProcess {
    const name = `controller-${dirs.length}`
    const own = `${dir}/${name}`
    mkdirSync(own, { recursive: true })
    dirs.push(own)
    const data: WorkerData = { ...common, name, dir: own }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data })
    let [isReady, why]: [boolean, string | undefined] = [false, undefined]
    const exited = Promise.withResolvers<void>()
    const process: ChaosProcess = {
      name,
      isReady: () => isReady,
      ended: () => why,
      async kill() {
        why ??= KILLED
        await worker.terminate()
      },
      async stop() {
        worker.postMessage({ do: 'stop' } satisfies ToWorker)
        await exited.promise
      },
      freeze: (ms) => worker.postMessage({ do: 'freeze', ms } satisfies ToWorker),
    }
    alive.add(process)
    worker.on('message', (message: FromWorker) => {
      if (message.is === 'ready') isReady = true
      else if (message.is === 'ended') why ??= message.why
    })
    worker.on('error', (error) => (why ??= `it failed: ${error instanceof Error ? error.message : String(error)}`))
    worker.on('exit', () => {
      why ??= 'it ended'
      alive.delete(process)
      if (why !== KILLED && why !== TOLD) endings.push(why)
      exited.resolve()
    })
    return process
  }

  return {
    get all() {
      return [...alive]
    },
    start,
    dirs,
    endings,
    async [Symbol.asyncDispose]() {
      await Promise.all([...alive].map((process) => process.kill()))
    },
  }
}
