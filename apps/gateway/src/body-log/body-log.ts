import { Worker } from 'node:worker_threads'
import { singleHeader } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import type { Logger, Meters } from '@ascribe/kit'
import type { RequestHead } from '@ascribe/relay'
import type { Intent } from '@ascribe/usage'
import { BodyCapture } from './body-capture.ts'
import { isSampled } from './sample.ts'
import type { BodyLogSettings, BodyWorkerData, BodyWorkerReply, RawEntry } from './types.ts'

/** On their way to the thread that keeps them; what is more is dropped and counted. */
const WAITING_MAX = 256
const WAITING_BYTES_MAX = 64 * 1024 * 1024
/** Secrets and addresses that begin before the end of what is kept may end behind it. */
const SLACK_BYTES = 4096

export type BodyLogOptions = {
  /** Folder of this machine's body log; made on first use. */
  readonly dir: string
  /** This gateway: no two write into one file. */
  readonly writer: string
  readonly serverSecret: ServerSecret
  readonly settings: BodyLogSettings
  readonly logger: Logger
  readonly meters: Meters
}

export type Followed = {
  readonly intent: Pick<Intent, 'eventId' | 'startedAt' | 'authId' | 'groupId' | 'modelAsked'>
  readonly head: Pick<RequestHead, 'headers'>
  readonly body: Buffer
}

/** Keeps bodies of those who have agreed to it. Never waits, never fails a request: what cannot be kept is dropped and counted. */
export class BodyLog implements AsyncDisposable {
  readonly #options: BodyLogOptions
  readonly #results: ReturnType<Meters['counter']>
  #worker: Worker | undefined
  readonly #waiting: number[] = []
  #waitingBytes = 0

  constructor(options: BodyLogOptions) {
    this.#options = options
    this.#results = options.meters.counter(
      'ascribe_gateway_bodies_total',
      'Bodies of requests that were sampled for the body log, by result.',
    )
    // What is too old goes at once, and not when the next one comes.
    this.#start()
  }

  /** Follows a request whose terms have so many parts of a million kept; `undefined`: this one is not. */
  follow({ intent, head, body }: Followed, partsOfMillion: number | undefined): BodyCapture | undefined {
    if (partsOfMillion === undefined || !isSampled(intent.eventId, partsOfMillion)) return undefined
    const { eventId, startedAt: at, authId, groupId, modelAsked: model } = intent
    const meta = { eventId, at, authId, ...(groupId !== undefined && { groupId }), ...(model !== undefined && { model }) }
    const request = { contentType: singleHeader(head.headers, 'content-type') ?? '', body }
    return new BodyCapture(
      { ...meta, request },
      { bytesMax: this.#options.settings.bodyBytesMax + SLACK_BYTES, keep: (entry) => this.#keep(entry) },
    )
  }

  #keep(entry: RawEntry): void {
    const bytes = entry.request.head.length + entry.reply.head.length
    if (this.#waiting.length >= WAITING_MAX || this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      this.#results.add(1, { result: 'dropped' })
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes
    this.#start().postMessage(entry)
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const { dir, writer, serverSecret, settings, logger } = this.#options
    const data: BodyWorkerData = { dir, writer, serverSecret: allOf(serverSecret), settings }
    const worker = new Worker(new URL('./body-worker.ts', import.meta.url), { workerData: data })
    worker.unref()
    worker.on('message', (reply: BodyWorkerReply) => {
      if (reply.kind !== 'kept') logger.warn('the body log cannot keep what it should', { reason: reply.message })
      if (reply.kind !== 'trouble') this.#done(reply.kind)
    })
    worker.on('error', (error) => logger.error('the body log has broken off; the next body begins it anew', { error }))
    worker.on('exit', () => {
      while (this.#waiting.length > 0) this.#done('failed')
      if (this.#worker === worker) this.#worker = undefined
    })
    this.#worker = worker
    return worker
  }

  #done(result: 'kept' | 'failed'): void {
    this.#waitingBytes -= this.#waiting.shift() ?? 0
    this.#results.add(1, { result })
  }

  /** Waits until what is on its way has been written. */
  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    worker.ref()
    worker.postMessage('end')
    await gone
  }
}

function allOf(secret: ServerSecret): readonly Uint8Array[] {
  return secret instanceof Uint8Array ? [secret] : secret
}
