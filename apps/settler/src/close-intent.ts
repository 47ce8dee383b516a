import { unknownSettlement } from '@ascribe/usage'
import type { Intent } from '@ascribe/usage'

/**
 * The record of a request whose process died: what the intent says, and that nothing more is known. It ends when it was
 * found, never before it began.
 */
export function closeIntent(_eventId: string, intentPayload: string, at: number): string {
  const intent = JSON.parse(intentPayload) as Intent
  return JSON.stringify({ ...intent, ...unknownSettlement(Math.max(at, intent.startedAt)) })
}
