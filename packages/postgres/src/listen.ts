import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from '@ascribe/kit'
import { toDatabaseError } from './errors.ts'

/**
 * `connected`: listening starts now, at first and after every reconnection; whatever was notified before may have been missed, so look.
 * `notified`: somebody ran `notify`; `payload` is what they said.
 */
export type Notice = { readonly kind: 'connected' } | { readonly kind: 'notified'; readonly payload: string }

/** Called in order, never awaited. What it throws is logged. */
export type NoticeHandler = (notice: Notice) => void

/** Ends when it is disposed. */
export type Subscription = AsyncDisposable

const RECONNECT_MS_MIN = 50
const RECONNECT_MS_MAX = 5_000
/** A connection over TCP can die without a word; asking shows it. */
const HEARTBEAT_MS = 30_000
const HEARTBEAT_TIMEOUT_MS = 10_000

export type SubscribeOptions = {
  readonly config: pg.ClientConfig
  readonly channel: string
  readonly handler: NoticeHandler
  readonly logger: Logger
}

/** Listens on a connection of its own until disposed, and reconnects with back-off for as long as that takes. */
export function subscribe(options: SubscribeOptions): Subscription {
  const stopping = new AbortController()
  const running = run(options, stopping.signal)
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running
    },
  }
}

async function run(options: SubscribeOptions, signal: AbortSignal): Promise<void> {
  let pauseMs = RECONNECT_MS_MIN
  while (!signal.aborted) {
    try {
      await listenOnce(options, signal, () => {
        pauseMs = RECONNECT_MS_MIN
      })
    } catch (thrown) {
      options.logger.warn('listening connection lost', { channel: options.channel, error: toDatabaseError(thrown, 'listen') })
    }
    if (signal.aborted) return
    await delay(pauseMs, undefined, { signal }).catch(() => {})
    pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX)
  }
}

/** Resolves when `signal` fires, rejects when the connection is lost. */
async function listenOnce(options: SubscribeOptions, signal: AbortSignal, onConnected: () => void): Promise<void> {
  const client = new pg.Client({ ...options.config, query_timeout: HEARTBEAT_TIMEOUT_MS })
  const ended = Promise.withResolvers<void>()
  client.on('error', ended.reject)
  client.on('end', () => ended.reject(new Error('Connection terminated')))
  ended.promise.catch(() => {})
  const stop = (): void => ended.resolve()
  signal.addEventListener('abort', stop, { once: true })
  const heartbeat = setInterval(() => void client.query('select 1').catch(ended.reject), HEARTBEAT_MS)
  heartbeat.unref()
  const deliver = (notice: Notice): void => {
    if (signal.aborted) return
    try {
      options.handler(notice)
    } catch (error) {
      // A handler that throws must neither end the process from inside a socket event nor cost the connection.
      options.logger.error('notification handler failed', { channel: options.channel, error })
    }
  }
  client.on('notification', (message) => deliver({ kind: 'notified', payload: message.payload ?? '' }))
  try {
    await Promise.race([client.connect(), ended.promise])
    await Promise.race([client.query(`listen ${client.escapeIdentifier(options.channel)}`), ended.promise])
    if (signal.aborted) return
    onConnected()
    deliver({ kind: 'connected' })
    await ended.promise
  } finally {
    clearInterval(heartbeat)
    signal.removeEventListener('abort', stop)
    await endClient(client)
  }
}

/** How long a server may take to acknowledge the end of a connection before we stop waiting for it. */
const END_TIMEOUT_MS = 1_000

/** Ends a connection; never throws, never waits long, never keeps the process alive. */
export async function endClient(client: pg.Client): Promise<void> {
  const giveUp = new AbortController()
  const ended = client.end().catch(() => {})
  await Promise.race([ended, delay(END_TIMEOUT_MS, undefined, { signal: giveUp.signal }).catch(() => {})])
  giveUp.abort()
}
