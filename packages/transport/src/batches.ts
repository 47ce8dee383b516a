import { JetStreamApiError } from '@nats-io/jetstream'
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import type { Nats } from './connection.ts'
import { TransportUnavailableError } from './errors.ts'
import { CONSUMER, ensureUsageStream, isNotFound, unavailable, usageStreamOf } from './streams.ts'
import { decodeSlice, encodeSlice } from './slice.ts'
import type { JournalSlice } from './slice.ts'

/** The broker's word that it holds a message. */
export type Stored = { readonly messageId: string; readonly sequence: number }

export type BatchSender = {
  /**
   * Resolves when the broker has stored the slice. The same `attempt` is stored once; raise it when the message was lost.
   * @throws {TransportUnavailableError} it is not known whether it was stored: send it again.
   */
  send(slice: JournalSlice, options: { readonly attempt: number }): Promise<Stored>
  /** Whether the broker still holds the message, undelivered or unacknowledged. @throws {TransportUnavailableError} */
  holds(stored: Stored): Promise<boolean>
}

/** The broker answers within milliseconds, unless its disk is slow. */
const PUBLISH_MS = 5000
const HEADER_ID = 'Nats-Msg-Id'

export function createBatchSender(nats: Nats): BatchSender {
  const stream = usageStreamOf(nats)
  let isEnsured = false
  return {
    async send(slice, { attempt }) {
      const { writer, from, to } = slice
      const messageId = `${writer}/${from.segment}.${from.offset}/${to.segment}.${to.offset}/${attempt}`
      if (nats.trouble !== undefined) throw new TransportUnavailableError(`Cannot send records: ${nats.trouble}`)
      if (!isEnsured) await ensureUsageStream(nats)
      isEnsured = true
      try {
        const client = await nats.jetStream()
        // A dot would end a token of the subject.
        const ack = await client.publish(`${nats.prefix}.usage.${writer.replaceAll('.', '_')}`, encodeSlice(slice), {
          msgID: messageId,
          timeout: PUBLISH_MS,
          expect: { streamName: stream },
        })
        return { messageId, sequence: ack.seq }
      } catch (thrown) {
        // The stream may be gone: made again before the next attempt.
        isEnsured = false
        throw unavailable(thrown instanceof JetStreamApiError ? `send records, ${thrown.message}` : 'send records', thrown)
      }
    },
    async holds({ sequence, messageId }) {
      try {
        const found = await (await nats.manager()).streams.getMessage(stream, { seq: sequence })
        // Of a stream that was made anew, this number may be another message's.
        return found?.header.get(HEADER_ID) === messageId
      } catch (thrown) {
        if (isNotFound(thrown)) return false
        throw unavailable('ask for a message', thrown)
      }
    },
  }
}

/** A slice in our hands until it is acknowledged or given back. */
export type Received = {
  readonly slice: JournalSlice
  readonly bytes: number
  /** After the commit. Lost on the way, it is delivered again, and changes nothing. */
  ack(): void
  /** Gives it back, for whoever asks after `delayMs`. */
  giveBack(delayMs: number): void
}

export type BatchReceiver = AsyncDisposable & {
  /** Waits for at least one slice, and gives all that are at hand, within bounds. None: `signal` fired. @throws {TransportUnavailableError} */
  next(signal: AbortSignal): Promise<readonly Received[]>
}

/** Bytes asked for ahead: the bound on memory, and on what a settler that is killed holds up until its time is up. */
const AHEAD_BYTES = 8 << 20
const PULL_MS = 10_000
const HEARTBEAT_MS = 2000
/** Slices and bytes of one transaction. */
const SLICES_MAX = 64
const BYTES_MAX = 4 << 20
/** After so long without a message we ask whether stream and consumer are there: a broker that was emptied tells nobody. */
const LOOK_MS = 3000

/** Receives slices as one of all that share the consumer. Makes stream and consumer, also when they are gone in between. */
export function createBatchReceiver(nats: Nats): BatchReceiver {
  return new SharedReceiver(nats)
}

class SharedReceiver implements BatchReceiver {
  readonly #nats: Nats
  readonly #stream: string
  #source: { readonly messages: ConsumerMessages; readonly iterator: AsyncIterator<JsMsg> } | undefined
  /** A message that was asked for and has not come yet. */
  #coming: Promise<IteratorResult<JsMsg>> | undefined

  constructor(nats: Nats) {
    this.#nats = nats
    this.#stream = usageStreamOf(nats)
  }

  async next(signal: AbortSignal): Promise<readonly Received[]> {
    while (!signal.aborted) {
      try {
        const gathered = await this.#gather(signal)
        if (gathered.length > 0) return gathered
      } catch (thrown) {
        // Opened afresh, with stream and consumer made again, by the next call.
        this.#close()
        throw unavailable('receive records', thrown)
      }
    }
    return []
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close()
    return Promise.resolve()
  }

  async #gather(signal: AbortSignal): Promise<readonly Received[]> {
    const { messages, iterator } = await this.#open()
    const gathered: Received[] = []
    let bytes = 0
    do {
      const result = await this.#one(iterator, signal)
      if (result === undefined) {
        if (!signal.aborted) await (await this.#nats.manager()).consumers.info(this.#stream, CONSUMER)
        return gathered
      }
      if (result.done === true) {
        this.#close()
        return gathered
      }
      const received = receivedOf(this.#nats, result.value)
      if (received === undefined) continue
      gathered.push(received)
      bytes += received.bytes
    } while (messages.getPending() > 0 && gathered.length < SLICES_MAX && bytes < BYTES_MAX)
    return gathered
  }

  async #open(): Promise<{ readonly messages: ConsumerMessages; readonly iterator: AsyncIterator<JsMsg> }> {
    if (this.#source !== undefined) return this.#source
    await ensureUsageStream(this.#nats)
    const consumer = await (await this.#nats.jetStream()).consumers.get(this.#stream, CONSUMER)
    const messages = await consumer.consume({
      max_bytes: AHEAD_BYTES,
      expires: PULL_MS,
      idle_heartbeat: HEARTBEAT_MS,
      abort_on_missing_resource: true,
    })
    this.#source = { messages, iterator: messages[Symbol.asyncIterator]() }
    return this.#source
  }

  #close(): void {
    const old = this.#source
    const coming = this.#coming
    this.#source = undefined
    this.#coming = undefined
    if (old === undefined) return
    // Not waited for: `close()` resolves when somebody has read on to its end.
    old.messages.stop()
    giveBackAll(old.iterator, coming).catch(() => {})
  }

  /** `undefined`: nothing came within a short while. */
  async #one(iterator: AsyncIterator<JsMsg>, signal: AbortSignal): Promise<IteratorResult<JsMsg> | undefined> {
    this.#coming ??= iterator.next()
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(over.resolve, LOOK_MS)
    const stop = (): void => over.resolve()
    signal.addEventListener('abort', stop, { once: true })
    try {
      const first = await Promise.race([this.#coming, over.promise])
      if (typeof first !== 'object') return undefined
      this.#coming = undefined
      return first
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }
}

/** What was asked for ahead goes to the other receivers now, not when its time is up. */
async function giveBackAll(iterator: AsyncIterator<JsMsg>, coming: Promise<IteratorResult<JsMsg>> | undefined): Promise<void> {
  for (let next = await (coming ?? iterator.next()); next.done !== true; next = await iterator.next()) next.value.nak()
}

function receivedOf(nats: Nats, message: JsMsg): Received | undefined {
  try {
    return {
      slice: decodeSlice(message.data),
      bytes: message.data.length,
      ack: () => message.ack(),
      giveBack: (delayMs) => message.nak(delayMs),
    }
  } catch (error) {
    // Not ours to drop: perhaps a newer settler knows it. It stays, and does not hold up the others.
    nats.logger.error('message cannot be read, it stays in the stream', { sequence: message.seq, error })
    message.nak(UNREADABLE_MS)
    return undefined
  }
}

const UNREADABLE_MS = 30_000
