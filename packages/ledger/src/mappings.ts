import type { Database } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { groupElsewhere } from './directory/group-owner.ts'
import { checkId } from './directory/ids.ts'
import { planMappings, writeMappings } from './directory/write-mappings.ts'
import { LedgerInputError } from './errors.ts'
import type { Start } from './instants.ts'
import { lockRating } from './locks.ts'
import { bumpPolicy } from './policy.ts'

export type NewMapping = {
  readonly authId: string
  readonly organizationId: string
  /** Who uses it, as the directory knows it, and in which group of the organization. */
  readonly userId?: string
  readonly groupId?: string
  /**
   * From which instant of usage on, until the next mapping of the auth id. Default: the beginning of time when the auth id
   * has no mapping yet, so that what is held for it rates itself; else now.
   */
  readonly from?: Start
  /** Up to which instant; what held there goes on from it. Default: until the next mapping. */
  readonly to?: Instant
  /** Overrule what was said for the same instants, by newer rows; what they overrule stays readable. Default false: a conflict. */
  readonly correct?: boolean
  readonly recordedBy?: string
}

/**
 * - `mapped`: from `from` on; the `hours` of usage that it touches will be rated again.
 * - `unchanged`: that is already so.
 * - `conflict`: another mapping begins at exactly `from`, or before `to`; nothing was changed, since nobody asked for a correction.
 * - `group_elsewhere`: the group is of another organization.
 */
export type MapOutcome =
  | { readonly kind: 'mapped'; readonly from: Start; readonly hours: number }
  | { readonly kind: 'unchanged'; readonly from: Start }
  | { readonly kind: 'conflict'; readonly from: Start; readonly organizationId: string }
  | { readonly kind: 'group_elsewhere'; readonly organizationId: string }
  | { readonly kind: 'unknown_organization' }

/**
 * Says to which organization (and user, and group) usage of an auth id belongs. Any auth id: one of a trusted peer or one of our keys.
 * Waits until the rater is between two hours. @throws {LedgerInputError}
 */
export async function mapAuthId(db: Database, input: NewMapping): Promise<MapOutcome> {
  const { authId, organizationId, userId = null, groupId = null, from, to, correct = false, recordedBy } = input
  checkId('auth id', authId)
  if (userId !== null) checkId('user id', userId)
  if (groupId !== null) checkId('group id', groupId)
  if (to !== undefined && from === undefined) throw new LedgerInputError('Cannot map the auth id: an end needs a beginning')
  if (typeof from === 'number' && to !== undefined && to <= from)
    throw new LedgerInputError('Cannot map the auth id: its period ends before it begins')
  if (!isUuid(organizationId)) return { kind: 'unknown_organization' }
  return db.transaction(async (tx) => {
    await lockRating(tx)
    const organization = await tx.query('select from organization where organization_id = $1::uuid', [organizationId])
    if (organization.rowCount === 0) return { kind: 'unknown_organization' }
    const elsewhere = groupId === null ? undefined : await groupElsewhere(tx, groupId, organizationId)
    if (elsewhere !== undefined) return { kind: 'group_elsewhere', organizationId: elsewhere }
    const [plan] = await planMappings(tx, [{ authId, organizationId, userId, groupId, from, to }])
    if (plan === undefined) throw new Error('a wanted mapping has no plan')
    if (plan.rows.length === 0) return { kind: 'unchanged', from: plan.from }
    if (plan.corrects && !correct) return { kind: 'conflict', from: plan.from, organizationId: plan.organizationBefore ?? '' }
    const { hours, dueAt } = await writeMappings(tx, [plan], { recordedBy })
    await bumpPolicy(tx, { keys: [authId], dueAt })
    return { kind: 'mapped', from: plan.from, hours }
  })
}
