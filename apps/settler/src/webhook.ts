import { createHmac } from 'node:crypto'
import { TOKENS } from '@ascribe/admission'
import type { BudgetAlert } from '@ascribe/ledger'
import { formatInstant, formatRate } from '@ascribe/units'

/** The body of an alert; the same bytes at every attempt. Amounts are decimal strings, of the currency or tokens. */
export function alertBody(alert: BudgetAlert): string {
  const amount = (value: bigint): string => (alert.unit === TOKENS ? String(value) : formatRate(value))
  return JSON.stringify({
    type: 'budget.threshold_reached',
    timestamp: formatInstant(alert.createdAt),
    data: {
      budget_id: alert.budgetId,
      ...(alert.budgetName !== undefined && { budget_name: alert.budgetName }),
      scope: alert.scope,
      subject: alert.subject,
      period: alert.period,
      ...(alert.period !== 'prepaid' && { window_start: formatInstant(alert.windowStart) }),
      threshold_percent: alert.threshold,
      unit: alert.unit,
      limit: amount(alert.limit),
      spent: amount(alert.spent),
    },
  })
}

/**
 * The headers of Standard Webhooks: `webhook-signature` holds, for each secret, HMAC-SHA-256 over `id.timestamp.body`. The id is the same
 * at every attempt, so that a receiver can tell a repetition; the timestamp is of the attempt, so that an old one cannot be replayed.
 */
export function webhookHeaders(
  { id, body, at }: { readonly id: string; readonly body: string; /** UTC epoch milliseconds. */ readonly at: number },
  secrets: readonly Buffer[],
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at / 1000))
  const sign = (secret: Buffer): string => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  return {
    'content-type': 'application/json',
    'user-agent': 'ascribe-webhooks',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(sign).join(' '),
  }
}
