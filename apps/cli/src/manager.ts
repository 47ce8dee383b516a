import { setTimeout as delay } from 'node:timers/promises'
import { AscribeError, InputError } from '@ascribe/kit'
import type { PushRollup } from '@ascribe/ledger'
import { HttpCallError, callHttp } from '@ascribe/service'
import type { HttpCall, HttpReply } from '@ascribe/service'
import type { Context } from './context.ts'

/*
 * A central manager of the reference: it says prices, and is told usage. Paths, headers and fields are its own (metering reference,
 * sections 2.14 and 2.15).
 */

/** The manager did not do what it was asked. */
class ManagerError extends AscribeError {
  override readonly code = 'MANAGER_REFUSED'
}

export type Manager = {
  /** Without a slash at its end. */
  readonly url: string
  readonly authorization: string
}

/** The manager of the configuration. @throws {InputError} when there is none */
export function managerOf({ config }: Pick<Context, 'config'>): Manager {
  const { url, token } = config.manager
  if (url === undefined || token === undefined) {
    throw new InputError('Cannot call the manager: its address or token is not configured', {
      hint: 'Set manager.url and manager.token, or ASCRIBE_MANAGER_URL and ASCRIBE_MANAGER_TOKEN.',
    })
  }
  return { url: url.replace(/\/+$/, ''), authorization: `token ${token.reveal()}` }
}

const PRICES_TIMEOUT_MS = 30_000
const PUSH_TIMEOUT_MS = 60_000
const PUSH_REPLY_BYTES_MAX = 64 * 1024

/** The prices that are in force by the manager, and its name for them. @throws {ManagerError} when it does not say both */
export async function fetchPrices(manager: Manager, wait?: Wait): Promise<{ readonly text: string; readonly version: string }> {
  const reply = await callPatiently(
    {
      url: `${manager.url}/customer/token-prices`,
      headers: { authorization: manager.authorization },
      timeoutMs: PRICES_TIMEOUT_MS,
    },
    wait,
  )
  const version = reply.headers.get('x-saturn-price-version') ?? ''
  if (reply.status !== 200) throw new ManagerError(`Cannot fetch prices: the manager answers ${reply.status}`)
  if (version === '') throw new ManagerError('Cannot fetch prices: the reply has no X-Saturn-Price-Version')
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(reply.body), version }
  } catch (cause) {
    throw new ManagerError('Cannot fetch prices: the reply is not UTF-8', { cause })
  }
}

/** Tells the manager all of an hour; it forgets whatever it had of that hour and is not here. @throws {ManagerError} */
export async function pushHour(manager: Manager, hour: number, rollups: readonly PushRollup[], wait?: Wait): Promise<void> {
  // The manager's reader takes no Z.
  const windowStart = new Date(hour).toISOString().replace(/\.\d+Z$/, '+00:00')
  const reply = await callPatiently(
    {
      url: `${manager.url}/customer/token-usage`,
      method: 'POST',
      headers: { authorization: manager.authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ window_start: windowStart, rollups }),
      timeoutMs: PUSH_TIMEOUT_MS,
      replyBytesMax: PUSH_REPLY_BYTES_MAX,
    },
    wait,
  )
  if (reply.status < 200 || reply.status > 299) throw new ManagerError(`Cannot push ${windowStart}: the manager answers ${reply.status}`)
}

/** Waits between two attempts. */
export type Wait = (ms: number) => Promise<void>

/** Attempts in all; then it is the next run's. */
const ATTEMPTS_MAX = 3
const FIRST_WAIT_MS = 1000

/** Calls again what may work a moment later; a post is the whole hour, so that sending it twice does no harm. */
async function callPatiently(call: HttpCall, wait: Wait = (ms) => delay(ms)): Promise<HttpReply> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const reply = await callHttp(call)
      const mayWork = reply.status >= 500 || reply.status === 429
      if (!mayWork || attempt === ATTEMPTS_MAX) return reply
    } catch (thrown) {
      if (!(thrown instanceof HttpCallError) || !thrown.retryable || attempt === ATTEMPTS_MAX) throw thrown
    }
    await wait(FIRST_WAIT_MS * 2 ** (attempt - 1))
  }
}
