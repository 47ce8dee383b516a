import type { Database } from '@ascribe/postgres'
import { covers } from '@ascribe/rating'
import { isUuid } from '@ascribe/units'
import type { Currency, Instant } from '@ascribe/units'
import { listCredits } from '../money/credits.ts'
import { sqlInstant } from '../instants.ts'
import { shelfOf } from '../price-versions.ts'

/** In the reference's words: how an organization pays. */
export type PlanType = 'capacity' | 'evaluation' | 'on-demand'

/** An organization as its own people see it. */
export type OrganizationView = {
  readonly id: string
  readonly name: string
  readonly currency: Currency
  /** It is no more: its keys let nobody in. */
  readonly isBlocked: boolean
  /** Somebody or something of it has an auth id. */
  readonly isOnboarded: boolean
  /**
   * - `capacity`: it has paid ahead, or agreed to an amount: prepaid or commitment credits, or a commitment in the prices.
   * - `evaluation`: it has nothing but trial credits that last.
   * - `on-demand`: everybody else.
   */
  readonly plan: PlanType
  /** When the last of its trial credits ends; absent: it has none, or they do not end. */
  readonly trialExpiresAt?: Instant
  readonly parentId?: string
}

type Row = {
  readonly organization_id: string
  readonly name: string
  readonly currency: string
  readonly parent_id: string | null
  readonly ended: boolean
  readonly onboarded: boolean
  readonly sequence: number | null
  readonly sha256: string | null
}

const ORGANIZATION = `
select o.organization_id, o.name, o.currency, p.parent_id, coalesce(v.ended, false) as ended, b.sequence, b.sha256,
  exists (select from auth_mapping m where m.organization_id = o.organization_id) as onboarded
from organization o
left join lateral (
  select parent_id from organization_parent p where p.organization_id = o.organization_id and p.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) p on true
left join lateral (
  select ended from organization_version v where v.organization_id = o.organization_id and v.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) v on true
left join lateral (
  select sequence, sha256 from price_version where kind = 'full' and currency = o.currency and effective_from <= $2::timestamptz
  order by effective_from desc, sequence desc limit 1
) b on true
where o.organization_id = $1::uuid`

/** Reads how an organization stands; `undefined` when there is none. */
export async function readOrganizationView(db: Database, organizationId: string, now: Instant): Promise<OrganizationView | undefined> {
  if (!isUuid(organizationId)) return undefined
  const { rows } = await db.query<Row>(ORGANIZATION, [organizationId, sqlInstant(now)])
  const [row] = rows
  if (row === undefined) return undefined
  const credits = (await listCredits(db, { organizationId, at: now })).filter(({ state }) => state === 'active' || state === 'scheduled')
  const trials = credits.filter(({ kind }) => kind === 'trial')
  const ends = trials.map(({ expiresAt }) => expiresAt).filter((end) => end !== undefined)
  const hasPaidAhead = credits.some(({ kind }) => kind === 'prepaid' || kind === 'commitment') || (await isCommitted(db, row, now))
  return {
    id: row.organization_id,
    name: row.name,
    currency: row.currency,
    isBlocked: row.ended,
    isOnboarded: row.onboarded,
    plan: hasPaidAhead ? 'capacity' : trials.length > 0 ? 'evaluation' : 'on-demand',
    ...(ends.length > 0 && { trialExpiresAt: Math.max(...ends) }),
    ...(row.parent_id !== null && { parentId: row.parent_id }),
  }
}

/** Whether the prices in force have a commitment of this organization that has not ended. */
async function isCommitted(db: Database, { organization_id: id, sequence, sha256 }: Row, now: Instant): Promise<boolean> {
  if (sequence === null || sha256 === null) return false
  const { commitments } = await shelfOf(db).bookOf(db, { sequence, sha256 })
  const month = new Date(now).toISOString().slice(0, 7)
  return commitments.some((each) => each.organizationId?.toLowerCase() === id && covers(each, month))
}
