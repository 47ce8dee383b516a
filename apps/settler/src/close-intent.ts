import { isSidePayload, unknownAct, unknownSettlement } from '@ascribe/usage'
import type { ActIntent, Intent } from '@ascribe/usage'

/**
 * The record of a request whose process died: what the intent says, and that nothing more is known. It ends when it was
 * found, never before it began. Never throws, or one unreadable intent would keep all of its writer's from recovery: it becomes
 * a settlement that the ledger puts into its quarantine, with the intent's text. An act becomes one of which nobody knows whether it was done; all
 * else that controllers write is whole from the beginning, and closes as it stands.
 */
export function closeIntent(eventId: string, intentPayload: string, at: number): string {
  if (isSidePayload(intentPayload)) return closeSide(intentPayload, at)
  const intent = intentOf(intentPayload)
  if (intent === undefined) return JSON.stringify({ eventId, unreadableIntent: intentPayload, ...unknownSettlement(at) })
  return JSON.stringify({ ...intent, ...unknownSettlement(Math.max(at, intent.startedAt)) })
}

function closeSide(payload: string, at: number): string {
  try {
    // Written by a controller of ours; its fields are the ledger's to check.
    const side = JSON.parse(payload) as ActIntent
    return side.kind === 'act' ? JSON.stringify(unknownAct(side, at)) : payload
  } catch {
    return payload
  }
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
