import { InputError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import type { ReadyReport } from '@ascribe/service'
import { WorkerStartError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import type { LimitsLeft } from '@ascribe/admission'
import { FIRST_SOCKET } from './messages.ts'
import type { Beginning } from './messages.ts'
import { mergeMetrics } from './merged-metrics.ts'
import { pauseBefore, socketsOf } from './places.ts'
import { WorkerProcess } from './worker-process.ts'
import type { Ending } from './worker-process.ts'

export type SupervisorOptions = {
  /** Workers that serve. */
  readonly count: number
  /** Bound sockets of the port, held here for as long as this process lives: whoever of the workers dies, nobody's connection does. */
  readonly fds: readonly number[]
  /** Command line and environment of a worker. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** What is not in the configuration that a worker reads. */
  readonly engines?: Pick<Beginning, 'upstream' | 'sandbox'> | undefined
  /** How long what is open may go on in a worker that was replaced. */
  readonly handoverMs: number
  readonly logger: Logger
  readonly meters: Meters
}

/** One worker's place: there is always one in it, or one is on its way. */
type Place = {
  readonly index: number
  current: WorkerProcess | undefined
  /** Deaths in a row. */
  deaths: number
  restart: NodeJS.Timeout | undefined
}

/** A worker that has lived so long is no longer one that dies again and again. */
const SOUND_MS = 60_000
/** From so many deaths in a row on, it is said loudly. */
const LOUD_DEATHS = 3

/** Keeps several gateways running on one port: starts them, starts them again, replaces them, and ends them. */
export class GatewaySupervisor {
  readonly #options: SupervisorOptions
  readonly #places: readonly Place[]
  /** Workers that were replaced, and still end what is open. */
  readonly #retiring = new Set<WorkerProcess>()
  readonly #deaths
  #isStopping = false
  #rolling: Promise<void> | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#places = Array.from({ length: options.count }, (_none, index) => ({ index, current: undefined, deaths: 0, restart: undefined }))
    this.#deaths = options.meters.counter('ascribe_gateway_worker_deaths_total', 'Workers of the gateway that ended unasked.')
  }

  /** Starts all of them and gives their URL. @throws {WorkerStartError} */
  async start(): Promise<string> {
    try {
      const urls = await Promise.all(
        this.#places.map(async (place) => {
          const worker = this.#spawn(place)
          const url = await readyOf(worker)
          this.#watch(place, worker)
          return url
        }),
      )
      return urls[0] ?? ''
    } catch (error) {
      await this.close({ graceMs: 0 })
      throw error
    }
  }

  /** Each worker by itself: traffic is welcome when all of them serve. */
  async report(): Promise<ReadyReport> {
    const entries = await Promise.all(
      this.#places.map(async (place) => {
        const detail = await this.#faultOf(place)
        return [`worker ${place.index}`, { ok: detail === undefined, ...(detail !== undefined && { detail }) }] as const
      }),
    )
    return Object.fromEntries(entries)
  }

  /** The metrics of all workers, those that end what is open among them, and of this process, whose text is `own`. */
  async metrics(own: string): Promise<string> {
    const texts = new Map([['supervisor', own]])
    const all = [
      ...this.#places.map(({ index, current }) => [String(index), current] as const),
      ...[...this.#retiring].map((worker) => [`retiring-${worker.pid}`, worker] as const),
    ]
    await Promise.all(
      all.map(async ([name, worker]) => {
        const text = await worker?.ask('metrics')
        if (typeof text === 'string') texts.set(name, text)
      }),
    )
    return mergeMetrics(texts)
  }

  /** Every worker reads the configured routes again. */
  reread(): void {
    for (const { current } of this.#places) current?.tell({ kind: 'reread' })
  }

  /**
   * Replaces the workers one after the other, each when the next one serves; what is open in the old ones goes on. The new ones read the
   * configuration again. Where one does not come up, the old one stays, and so do the rest.
   */
  roll(): Promise<void> {
    this.#rolling ??= this.#roll().finally(() => {
      this.#rolling = undefined
    })
    return this.#rolling
  }

  /** Leaves new connections to others who hold the same sockets. Resolves when nothing is open any more, or that has taken too long. */
  async retire(): Promise<void> {
    this.#isStopping = true
    const workers = this.#leave()
    for (const worker of workers) this.#retire(worker)
    await Promise.all([...this.#retiring].map(({ ended }) => ended))
  }

  /** Lets what is open end for `graceMs`, cuts the rest, and waits until every worker has ended. */
  async close({ graceMs, cut }: { readonly graceMs: number; readonly cut?: AbortSignal }): Promise<void> {
    this.#isStopping = true
    const workers = [...this.#leave(), ...this.#retiring]
    for (const worker of workers) worker.stop(graceMs)
    const cutAll = (): void => workers.forEach((worker) => worker.cut())
    cut?.addEventListener('abort', cutAll)
    if (cut?.aborted === true) cutAll()
    await Promise.all(workers.map(({ ended }) => ended))
    cut?.removeEventListener('abort', cutAll)
  }

  #leave(): WorkerProcess[] {
    const workers: WorkerProcess[] = []
    for (const place of this.#places) {
      clearTimeout(place.restart)
      if (place.current !== undefined) workers.push(place.current)
      place.current = undefined
    }
    return workers
  }

  #spawn(place: Place, limits?: LimitsLeft): WorkerProcess {
    const { args, env, fds, count, engines } = this.#options
    const listen = socketsOf(place.index, { workers: count, sockets: fds.length }).map((socket) => FIRST_SOCKET + socket)
    const beginning: Beginning = {
      listen,
      workers: count,
      ...(limits !== undefined && { limits }),
      ...engines,
    }
    const worker = new WorkerProcess({ args, env, fds, beginning })
    place.current ??= worker
    return worker
  }

  #watch(place: Place, worker: WorkerProcess): void {
    void worker.ended.then((ending) => {
      if (place.current !== worker || this.#isStopping) return
      place.current = undefined
      this.#died(place, worker, ending)
    })
  }

  #died(place: Place, worker: WorkerProcess, ending: Ending): void {
    const { logger } = this.#options
    this.#deaths.add()
    place.deaths = performance.now() - worker.startedAt > SOUND_MS ? 1 : place.deaths + 1
    const pauseMs = pauseBefore(place.deaths)
    const fields = { worker: place.index, ...ending, deaths: place.deaths, pauseMs }
    if (place.deaths < LOUD_DEATHS) logger.error('a worker of the gateway died, and is started again', fields)
    else logger.error('a worker of the gateway dies again and again: look for its last words above; the others serve', fields)
    this.#lend(place)
    place.restart = setTimeout(() => this.#restart(place), pauseMs)
  }

  #restart(place: Place): void {
    if (this.#isStopping || place.current !== undefined) return
    const worker = this.#spawn(place)
    this.#watch(place, worker)
  }

  /** Whoever lives accepts on the sockets of the dead one, for good: two on a socket are no harm. */
  #lend(place: Place): void {
    const { count, fds } = this.#options
    const helper = this.#places.find(({ current }) => current?.isReady === true)?.current
    if (helper === undefined || fds.length === 1) return
    for (const socket of socketsOf(place.index, { workers: count, sockets: fds.length }))
      helper.tell({ kind: 'listen', fd: FIRST_SOCKET + socket })
  }

  async #roll(): Promise<void> {
    const { logger } = this.#options
    logger.info('workers of the gateway are replaced, one after the other')
    for (const place of this.#places) {
      const before = place.current
      if (this.#isStopping || before === undefined) continue
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      const limits = (await before.ask('limits')) as LimitsLeft | undefined
      const worker = this.#spawn(place, limits)
      try {
        // oxlint-disable-next-line no-await-in-loop -- as said
        await readyOf(worker)
      } catch (error) {
        logger.error('workers of the gateway are not replaced any further: the new one does not come up', { worker: place.index, error })
        return
      }
      if (this.#isStopping) {
        worker.cut()
        return
      }
      place.current = worker
      place.deaths = 0
      this.#watch(place, worker)
      this.#retire(before)
    }
    logger.info('workers of the gateway have been replaced')
  }

  #retire(worker: WorkerProcess): void {
    const { handoverMs } = this.#options
    this.#retiring.add(worker)
    worker.tell({ kind: 'retire' })
    const timer = setTimeout(() => worker.stop(0), handoverMs)
    void worker.ended.then(() => {
      clearTimeout(timer)
      this.#retiring.delete(worker)
    })
  }

  async #faultOf({ current, deaths }: Place): Promise<string | undefined> {
    if (current === undefined) return deaths < LOUD_DEATHS ? 'it died, and is started again' : `it died ${deaths} times in a row`
    if (!current.isReady) return 'starting'
    const health = await current.ask('health')
    if (health === undefined) return 'it does not answer'
    return (health as { readonly unready?: string }).unready
  }
}

/** @throws {WorkerStartError} when it ends before */
async function readyOf(worker: WorkerProcess): Promise<string> {
  const first = await Promise.race([worker.ready, worker.ended])
  if (typeof first === 'string') return first
  const how = first.signal ?? `exit code ${first.code}`
  const message = `Cannot start a worker of the gateway: it ended with ${how}; what it said stands above`
  throw first.code === EXIT.usage ? new InputError(message) : new WorkerStartError(message)
}
