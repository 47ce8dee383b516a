import type { Database } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import { lockDirectory } from '../locks.ts'
import { directoryNow, endTimeline } from './timeline.ts'

/** Ends a user's membership of an organization, from now on: what the user was there stays in the history. */
export async function endMembership(
  db: Database,
  input: { readonly userId: string; readonly organizationId: string; readonly recordedBy?: string },
): Promise<'ended' | 'unknown'> {
  const { userId, organizationId, recordedBy } = input
  if (userId.includes('\0') || !isUuid(organizationId)) return 'unknown'
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const rows = [{ user_id: userId, organization_id: organizationId }]
    const changes = await endTimeline(tx, 'organization_member', { rows, at: await directoryNow(tx), recordedBy })
    return changes.length === 0 ? 'unknown' : 'ended'
  })
}
