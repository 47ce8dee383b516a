import type { Database, Queryable } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { mappingAtSql } from './attribution-sql.ts'

/**
 * Who sends events: a key of an organization, which can report usage of that organization and of nobody else; or the installation
 * itself, which is believed as a trusted edge is.
 */
export type EventSender =
  | { readonly kind: 'organization'; readonly organizationId: string; /** Of the key. */ readonly authId: string }
  | { readonly kind: 'installation'; /** What people call the token. */ readonly name: string }

/** What an event says of whose usage it is. */
export type EventClaim = { readonly subject: string | undefined; readonly takenFor: 'auth_id' | 'user'; readonly time: Instant }

export type Attribution =
  | { readonly kind: 'owner'; readonly owner: Pick<UsageRecord, 'authId' | 'userId' | 'claimedOrganizationId'> }
  | { readonly kind: 'fault'; readonly reason: string }

/** Known auth ids and organizations among subjects. */
type Known = { readonly isMapped: boolean; readonly mappedTo: string | null; readonly organizationId: string | null }

/** The auth id that stands for a whole organization where an event names no other. */
function organizationAuthId(organizationId: string): string {
  return `organization:${organizationId}`
}

/** Whose each event is, and the auth ids that have to be mapped for it to be so: by auth id, the organization. */
export type Attributions = { readonly owners: readonly Attribution[]; readonly unmapped: ReadonlyMap<string, string> }

/** Finds the auth id that each event's usage is attributed to. In the order of the claims. */
export async function attributeEvents(db: Database, sender: EventSender, claims: readonly EventClaim[]): Promise<readonly Attribution[]> {
  const { owners, unmapped } = await findOwners(db, sender, claims)
  for (const organizationId of unmapped.values()) await db.query('select map_organization_auth_id($1::uuid)', [organizationId])
  return owners
}

/** The same, changing nothing. */
export async function findOwners(db: Queryable, sender: EventSender, claims: readonly EventClaim[]): Promise<Attributions> {
  const known = await readKnown(db, claims)
  if (sender.kind === 'organization') {
    return { owners: claims.map((claim, index) => ofOrganization(sender, claim, known[index])), unmapped: new Map() }
  }
  const owners = claims.map((claim, index) => ofInstallation(claim, known[index]))
  return { owners, unmapped: await findUnmapped(db, known, owners) }
}

/**
 * A subject that is somebody else's is answered as one that is nobody's: whether it exists is none of the sender's business. The claim
 * stays on the record, so that one whose auth id changes hands is held, not charged to somebody who did not send it.
 */
function ofOrganization(
  { organizationId, authId }: Extract<EventSender, { kind: 'organization' }>,
  { subject, takenFor }: EventClaim,
  known: Known | undefined,
): Attribution {
  const own = { authId, claimedOrganizationId: organizationId }
  if (subject === undefined || subject.toLowerCase() === organizationId) return { kind: 'owner', owner: own }
  if (takenFor === 'user') return { kind: 'owner', owner: { ...own, userId: subject } }
  if (known?.mappedTo === organizationId) return { kind: 'owner', owner: { ...own, authId: subject } }
  return { kind: 'fault', reason: 'subject is neither an auth id nor the id of this organization' }
}

/** A subject that nobody knows is taken for an auth id that is not mapped yet: its usage is held until it is. */
function ofInstallation({ subject, takenFor }: EventClaim, known: Known | undefined): Attribution {
  if (takenFor === 'user')
    return { kind: 'fault', reason: 'its type takes the subject for a user: only a key of an organization can send it' }
  if (subject === undefined)
    return { kind: 'fault', reason: 'subject is missing: it is the auth id or the organization whose usage this is' }
  if (known?.isMapped !== true && typeof known?.organizationId === 'string')
    return { kind: 'owner', owner: { authId: organizationAuthId(known.organizationId) } }
  return { kind: 'owner', owner: { authId: subject } }
}

async function readKnown(db: Queryable, claims: readonly EventClaim[]): Promise<readonly Known[]> {
  const { rows } = await db.query<{ mapped: boolean; mapped_to: string | null; organization_id: string | null }>(
    `select m.valid_from is not null as mapped, m.organization_id as mapped_to, o.organization_id
     from unnest($1::text[], $2::timestamptz[]) with ordinality as e (subject, at, place)
     left join lateral (${mappingAtSql('e.subject', 'e.at')}) m on true
     left join organization o on o.organization_id =
       case when lower(e.subject) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then e.subject::uuid end
     order by e.place`,
    [claims.map(({ subject }) => subject ?? ''), claims.map(({ time }) => formatInstant(time))],
  )
  return rows.map((row) => ({ isMapped: row.mapped, mappedTo: row.mapped_to, organizationId: row.organization_id }))
}

/** The auth ids that stand for whole organizations, as far as they are mapped to nobody yet. */
async function findUnmapped(db: Queryable, known: readonly Known[], owners: readonly Attribution[]): Promise<ReadonlyMap<string, string>> {
  const unmapped = new Map<string, string>()
  for (const [index, attribution] of owners.entries()) {
    const organizationId = known[index]?.organizationId
    if (attribution.kind !== 'owner' || typeof organizationId !== 'string') continue
    const authId = organizationAuthId(organizationId)
    if (attribution.owner.authId === authId) unmapped.set(authId, organizationId)
  }
  if (unmapped.size === 0) return unmapped
  const { rows } = await db.query<{ auth_id: string }>('select distinct auth_id from auth_mapping where auth_id = any($1::text[])', [
    [...unmapped.keys()],
  ])
  for (const { auth_id: mapped } of rows) unmapped.delete(mapped)
  return unmapped
}
