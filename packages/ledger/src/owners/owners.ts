import type { Database, Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { isOrganization } from '../acting/start.ts'
import { ownerAuthId } from '@ascribe/usage'
import { directoryNow, endTimeline, writeTimeline } from '../directory/timeline.ts'
import { LedgerInputError } from '../errors.ts'
import { sqlInstant } from '../instants.ts'
import type { Start } from '../instants.ts'
import { planMappings, writeMappings } from '../directory/write-mappings.ts'
import { lockDirectory, lockRating } from '../locks.ts'
import { bumpPolicy } from '../policy.ts'

/** Whose the virtual machines of a user of the cloud are. */
export type CloudOwner = {
  /** Of the cloud; UUID. */
  readonly userId: string
  readonly organizationId: string
  /** UTC epoch milliseconds; -Infinity: since ever. */
  readonly since: number
}

export type OwnerMapping = {
  readonly userId: string
  /** `null`: nobody's, from then on. */
  readonly organizationId: string | null
  /**
   * From then on, until the next mapping of the user; `beginning`: since ever. Default: since ever for a user of whom nothing was said yet, so that
   * what is held of it finds its organization; else now. Never later.
   */
  readonly from?: Start
  readonly recordedBy?: string
  readonly audit?: (tx: Queryable, outcome: MapOwnerOutcome) => Promise<unknown>
}

export type MapOwnerOutcome = 'mapped' | 'unchanged' | 'unknown_organization'

/**
 * Says whose a user of the cloud is from an instant on: its machines, what they use, and what is done with them. @throws {LedgerInputError} the user is no UUID, or the instant is to come
 */
export async function mapOwner(db: Database, { userId, organizationId, from, recordedBy, audit }: OwnerMapping): Promise<MapOwnerOutcome> {
  if (!isUuid(userId)) throw new LedgerInputError(`Cannot map the owner: ${JSON.stringify(userId)} is not a UUID`)
  return db.transaction(async (tx) => {
    await lockRating(tx)
    await lockDirectory(tx)
    const now = await directoryNow(tx)
    const at = from === 'beginning' ? -Infinity : (from ?? ((await isKnown(tx, userId)) ? now : -Infinity))
    if (at > now) throw new LedgerInputError('Cannot map the owner from an instant that is to come')
    const known = organizationId === null || (isUuid(organizationId) && (await isOrganization(tx, organizationId)))
    const write = { at, recordedBy }
    const changes = !known
      ? undefined
      : organizationId === null
        ? await endTimeline(tx, 'cloud_owner', { ...write, rows: [{ user_id: userId }] })
        : await writeTimeline(tx, 'cloud_owner', { ...write, rows: [{ user_id: userId, organization_id: organizationId }] })
    const outcome = changes === undefined ? 'unknown_organization' : changes.length === 0 ? 'unchanged' : 'mapped'
    if (outcome === 'mapped') await mapUsage(tx, { userId, organizationId, at, recordedBy })
    await audit?.(tx, outcome)
    return outcome
  })
}

async function isKnown(tx: Queryable, userId: string): Promise<boolean> {
  return (await tx.query('select from cloud_owner where user_id = $1::uuid limit 1', [userId])).rowCount > 0
}

/** The same for what the user's machines use: hours of it are rated again. */
async function mapUsage(
  tx: Queryable,
  {
    userId,
    organizationId,
    at,
    recordedBy,
  }: { readonly userId: string; readonly organizationId: string | null; readonly at: number; readonly recordedBy: string | undefined },
): Promise<void> {
  const authId = ownerAuthId(userId)
  const plans = await planMappings(tx, [
    {
      authId,
      organizationId,
      userId: organizationId === null ? null : userId,
      groupId: null,
      from: at === -Infinity ? 'beginning' : at,
      to: undefined,
    },
  ])
  const { dueAt } = await writeMappings(tx, plans, { recordedBy })
  await bumpPolicy(tx, { keys: [authId], dueAt })
}

/** Whose the user is at an instant, default now; `undefined`: nobody's. */
export async function readOwner(db: Queryable, userId: string, at?: Instant): Promise<CloudOwner | undefined> {
  if (!isUuid(userId)) return undefined
  const { rows } = await db.query<OwnerRow & { readonly ended: boolean }>(
    `select user_id, organization_id, valid_from, ended from cloud_owner
     where user_id = $1::uuid and valid_from <= coalesce($2::timestamptz, clock_timestamp()) order by valid_from desc, revision desc limit 1`,
    [userId, at === undefined ? null : sqlInstant(at)],
  )
  const [row] = rows
  return row === undefined || row.ended ? undefined : ownerOf(row)
}

type OwnerRow = { readonly user_id: string; readonly organization_id: string; readonly valid_from: number }

function ownerOf({ user_id: userId, organization_id: organizationId, valid_from: since }: OwnerRow): CloudOwner {
  return { userId, organizationId, since }
}

const PAGE = 1000

/** Users that are somebody's now, by id; a page at a time. */
export async function* streamOwners(
  db: Queryable,
  { organizationId = null }: { readonly organizationId?: string | null } = {},
): AsyncGenerator<CloudOwner, void, undefined> {
  if (organizationId !== null && !isUuid(organizationId)) return
  let after: string | null = null
  for (;;) {
    const { rows }: { readonly rows: readonly OwnerRow[] } = await db.query<OwnerRow>(
      `select user_id, organization_id, valid_from from (
         select distinct on (user_id) * from cloud_owner
         where valid_from <= clock_timestamp() and ($2::uuid is null or user_id > $2::uuid)
           and ($1::uuid is null or user_id in (select user_id from cloud_owner where organization_id = $1::uuid))
         order by user_id, valid_from desc, revision desc
       ) o where not ended and ($1::uuid is null or organization_id = $1::uuid) order by user_id limit ${PAGE}`,
      [organizationId, after],
    )
    for (const row of rows) yield ownerOf(row)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = last.user_id
  }
}
