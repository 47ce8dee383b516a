import type { Database } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'

export type NewWebhookSecret = {
  readonly budgetId: string
  /** 128 random bits, lower-case hex: with the server secret they are the secret. */
  readonly salt: string
  /** How long the one before signs beside it. Those before that one end at once. */
  readonly overlapMs: number
  readonly by: string
}

/**
 * Puts a secret of a budget's alerts in force. At most two sign at a time: a receiver that takes a new one never needs more, and headers stay short.
 * Gives back until when the one before signs too; `undefined`: there was none.
 */
export async function rotateWebhookSecret(db: Database, { budgetId, salt, overlapMs, by }: NewWebhookSecret): Promise<Instant | undefined> {
  return db.transaction(async (tx) => {
    // Two at once take turns: the second one's "before" is the first one's.
    await tx.query('select from budget where budget_id = $1::uuid for update', [budgetId])
    await tx.query(
      `update budget_webhook_secret set ends_at = clock_timestamp()
       where budget_id = $1::uuid and ends_at > clock_timestamp()`,
      [budgetId],
    )
    const { rows } = await tx.query<{ ends_at: number }>(
      `update budget_webhook_secret set ends_at = clock_timestamp() + $2::double precision * interval '1 millisecond'
       where budget_id = $1::uuid and ends_at is null returning ends_at`,
      [budgetId, overlapMs],
    )
    await tx.query('insert into budget_webhook_secret (budget_id, salt, created_by) values ($1::uuid, $2::text, $3::text)', [
      budgetId,
      salt,
      by,
    ])
    return rows[0]?.ends_at
  })
}
