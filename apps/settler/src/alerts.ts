import { AssertionError, errorChain, toAscribeError } from '@ascribe/kit'
import type { Clock, Logger } from '@ascribe/kit'
import { noteAlert, takeAlerts } from '@ascribe/ledger'
import type { AlertOutcome, BudgetAlert } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { callHttp } from '@ascribe/service'
import { pause } from './pause.ts'
import type { SettlerMeters } from './settler-meters.ts'
import { alertBody, webhookHeaders } from './webhook.ts'

/** Between two looks for alerts that are due. */
const LOOK_MS = 500
/** Sent at once; a receiver that hangs holds one place for {@link TIMEOUT_MS}. */
const AT_ONCE = 8
const TIMEOUT_MS = 10_000
/** Whoever took an alert and died has not kept it from the next for longer. */
const LEASE_MS = 60_000
/** Nobody reads the answer; some say why they refuse. */
const REPLY_BYTES_MAX = 64 * 1024
/** After the first attempt and the second and so on: about a day in all. Then the alert is given up, and the log has it. */
const RETRY_MS = [5_000, 30_000, 120_000, 600_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000] as const

export type AlertDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: SettlerMeters
  /** What alerts to a URL are signed with. */
  readonly webhookSecrets: (alert: Pick<BudgetAlert, 'url' | 'budgetId' | 'salts'>) => readonly Buffer[]
  /** Default: eight waits, from five seconds to twelve hours. */
  readonly retryMs?: readonly number[]
  /** Default 10 s. */
  readonly timeoutMs?: number
}

/**
 * Sends alerts until `signal` fires: at least once each, from the ledger, where they were written with what raised them. A receiver that is
 * slow or dead keeps nobody waiting but its own alerts.
 */
export async function deliverAlerts(deps: AlertDeps, signal: AbortSignal): Promise<void> {
  const sending = new Set<Promise<void>>()
  let failing = false
  while (!signal.aborted) {
    try {
      const free = AT_ONCE - sending.size
      const alerts = free === 0 ? [] : await takeAlerts(deps.db, { limit: free, leaseMs: LEASE_MS })
      for (const alert of alerts) {
        const sent = send(deps, alert, signal).finally(() => sending.delete(sent))
        sending.add(sent)
      }
      failing = false
      if (free === 0 || alerts.length < free) await pause(LOOK_MS, signal)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      if (!failing) deps.logger.error('alerts cannot be read now, they are sent later', { error: toAscribeError(error) })
      failing = true
      await pause(LOOK_MS, signal)
    }
  }
  await Promise.all(sending)
}

/** Never rejects: what fails here is tried again when the alert is due the next time. */
async function send(deps: AlertDeps, alert: BudgetAlert, signal: AbortSignal): Promise<void> {
  const { db, logger, meters } = deps
  try {
    const outcome = await attempt(deps, alert, signal)
    // Cut short by a shutdown: it was not refused, and is due again soon.
    if (outcome.kind === 'failed' && signal.aborted) return
    await noteAlert(db, alert.id, outcome)
    meters.alerts.add(1, { outcome: outcome.kind === 'delivered' ? 'delivered' : outcome.retryMs === undefined ? 'given_up' : 'failed' })
    if (outcome.kind === 'failed' && outcome.retryMs === undefined) {
      logger.error('alert is given up: its receiver never took it', { alert: alert.id, budget: alert.budgetId, cause: outcome.error })
    }
  } catch (error) {
    logger.warn('outcome of an alert cannot be noted, it may be sent again', { alert: alert.id, error: toAscribeError(error) })
  }
}

async function attempt(deps: AlertDeps, alert: BudgetAlert, signal: AbortSignal): Promise<AlertOutcome> {
  const { clock, webhookSecrets, retryMs = RETRY_MS, timeoutMs = TIMEOUT_MS } = deps
  const body = alertBody(alert)
  const headers = webhookHeaders({ id: alert.id, body, at: clock() }, webhookSecrets(alert))
  const wait = retryMs[alert.attempts - 1]
  try {
    const bounds = { timeoutMs, replyBytesMax: REPLY_BYTES_MAX, publicOnly: alert.isCustomers, signal }
    const { status } = await callHttp({ url: alert.url, method: 'POST', headers, body, ...bounds })
    if (status >= 200 && status < 300) return { kind: 'delivered' }
    // 410: the receiver says that it is gone for good.
    return { kind: 'failed', error: `the receiver answered ${status}`, retryMs: status === 410 ? undefined : wait }
  } catch (error) {
    return { kind: 'failed', error: errorChain(error), retryMs: wait }
  }
}
