import { unknownSettlement } from '@ascribe/usage'
import type { Intent } from '@ascribe/usage'

/**
 * The record of a request whose process died: what the intent says, and that nothing more is known. It ends when it was
 * found, never before it began. Never throws, or one unreadable intent would keep all of its writer's from recovery: it becomes
 * a settlement that the ledger puts into its quarantine, with the intent's text.
 */
export function closeIntent(eventId: string, intentPayload: string, at: number): string {
  const intent = intentOf(intentPayload)
  if (intent === undefined) return JSON.stringify({ eventId, unreadableIntent: intentPayload, ...unknownSettlement(at) })
  return JSON.stringify({ ...intent, ...unknownSettlement(Math.max(at, intent.startedAt)) })
}

function intentOf(payload: string): Intent | undefined {
  try {
    const value: unknown = JSON.parse(payload)
    // Its fields are the ledger's to check, as those of every other record.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Intent) : undefined
  } catch {
    return undefined
  }
}
