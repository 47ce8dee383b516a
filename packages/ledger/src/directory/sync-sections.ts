import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'
import type { DirectoryDocument, MappingEntry } from './document.ts'
import { writeTimeline } from './timeline.ts'
import type { TimelineChange, TimelineName, TimelineRow } from './timeline.ts'
import { planMappings, writeMappings } from './write-mappings.ts'
import type { WantedMapping } from './write-mappings.ts'

/** A kind of thing that a source speaks of. */
export type SyncKind = 'organization' | 'group' | 'user' | 'resource' | 'organization_member' | 'group_member' | 'mapping' | 'key'

export type SyncChange = {
  readonly kind: SyncKind
  readonly change: 'create' | 'update' | 'end'
  /** The parts of its key: one, or a user and what he is a member of. */
  readonly id: readonly string[]
}

export type SyncWork = {
  readonly tx: Queryable
  readonly document: DirectoryDocument
  readonly at: Instant
  readonly recordedBy: string | undefined
}

export type MappingChanges = { readonly changes: readonly SyncChange[]; readonly hours: number; readonly dueAt: readonly Instant[] }

export async function syncOrganizations({ tx, document, at, recordedBy }: SyncWork): Promise<readonly SyncChange[]> {
  const { organizations = [] } = document
  if (organizations.length === 0) return []
  const made = await tx.query<{ organization_id: string }>(
    `insert into organization (organization_id, name, currency)
     select id, name, coalesce(currency, 'USD') from json_to_recordset($1::json) as r (id uuid, name text, currency text)
     on conflict (organization_id) do nothing returning organization_id`,
    [JSON.stringify(organizations)],
  )
  const rows = organizations.map(({ id, name }) => ({ organization_id: id, name }))
  const named = await writeTimeline(tx, 'organization', { rows, at, recordedBy })
  await tx.query(
    `update organization o set name = r.name
     from json_to_recordset($1::json) as r (id uuid, name text) where o.organization_id = r.id and o.name <> r.name`,
    [JSON.stringify(organizations)],
  )
  const parents = organizations.filter(({ parent }) => parent !== undefined)
  const moved = await writeTimeline(tx, 'parent', {
    rows: parents.map(({ id, parent }) => ({ organization_id: id, parent_id: parent })),
    at,
    recordedBy,
  })
  const changes = new Map<string, SyncChange['change']>(made.rows.map((row) => [row.organization_id, 'create']))
  for (const { key, change } of named) changes.getOrInsert(key['organization_id'] ?? '', change)
  // Whoever gets his first parent is not new for that.
  for (const { key } of moved) changes.getOrInsert(key['organization_id'] ?? '', 'update')
  return [...changes].map(([id, change]) => ({ kind: 'organization', change, id: [id] }))
}

export async function syncGroups(work: SyncWork): Promise<readonly SyncChange[]> {
  const { groups = [] } = work.document
  return write(
    work,
    'group',
    groups.map(({ id, organization, name }) => ({ group_id: id, organization_id: organization, name })),
  )
}

export async function syncUsers(work: SyncWork): Promise<readonly SyncChange[]> {
  const { users = [] } = work.document
  return [
    ...(await write(
      work,
      'user',
      users.map(({ id, name, email }) => ({ user_id: id, name, email })),
    )),
    ...(await write(work, 'organization_member', organizationMembers(work.document))),
    ...(await write(work, 'group_member', groupMembers(work.document))),
  ]
}

type OrganizationMember = { readonly user_id: string; readonly organization_id: string; readonly role: string | undefined }

export function organizationMembers({ users = [] }: DirectoryDocument): OrganizationMember[] {
  return users.flatMap(({ id, organizations = [], role }) =>
    organizations.map((organization) => ({ user_id: id, organization_id: organization, role })),
  )
}

export function groupMembers({ users = [] }: DirectoryDocument): { readonly user_id: string; readonly group_id: string }[] {
  return users.flatMap(({ id, groups = [] }) => groups.map((group) => ({ user_id: id, group_id: group })))
}

export async function syncResources(work: SyncWork): Promise<readonly SyncChange[]> {
  const { resources = [] } = work.document
  return write(
    work,
    'resource',
    resources.map(({ id, type, name, organization, region }) => ({
      resource_id: id,
      resource_type: type,
      name,
      organization_id: organization,
      region,
    })),
  )
}

async function write(work: SyncWork, kind: SyncKind & TimelineName, rows: readonly TimelineRow[]): Promise<readonly SyncChange[]> {
  return changesOf(kind, await writeTimeline(work.tx, kind, { rows, at: work.at, recordedBy: work.recordedBy }))
}

export function changesOf(kind: SyncKind, changes: readonly TimelineChange[]): readonly SyncChange[] {
  return changes.map(({ change, key }) => ({ kind, change, id: Object.values(key).map(String) }))
}

const INSERT_KEYS = `
with wanted as materialized (
  select * from json_to_recordset($1::json)
    as w (auth_id text, organization uuid, public_id text, hmac text, scopes text[], name text, expires_at timestamptz)
  where not exists (select from credential c where c.auth_id = w.auth_id)
),
made as (
  insert into credential (auth_id, public_id, hmac, name, scopes) select auth_id, public_id, hmac, name, scopes from wanted returning auth_id
),
secret as (
  insert into credential_secret (public_id, auth_id, hmac, created_by) select public_id, auth_id, hmac, $2::text from wanted
),
ends as (
  insert into credential_secret_end (public_id, ends_at, cause, recorded_by)
  select public_id, expires_at, 'expiry', $2::text from wanted where expires_at is not null
)
select auth_id from made order by auth_id`

/** Adds keys that are not there. One that is stays as it is: keys change where they are rotated and revoked, not by a file. */
export async function syncKeys({ tx, document, recordedBy }: SyncWork): Promise<readonly SyncChange[]> {
  const { keys = [] } = document
  if (keys.length === 0) return []
  const { rows } = await tx.query<{ auth_id: string }>(INSERT_KEYS, [
    JSON.stringify(keys.map((key) => ({ ...key, expires_at: key.expires_at === undefined ? null : sqlInstant(key.expires_at) }))),
    recordedBy ?? null,
  ])
  return rows.map((row) => ({ kind: 'key', change: 'create', id: [row.auth_id] }))
}

/** Makes the mappings of the document so, and gives its new keys to their organizations where it does not map them itself. */
export async function syncMappings(work: SyncWork, newKeys: readonly SyncChange[]): Promise<MappingChanges> {
  const { mappings = [], keys = [] } = work.document
  const mapped = new Set(mappings.map((entry) => entry.auth_id))
  const made = new Set(newKeys.map(({ id }) => id[0]))
  const unmapped = keys.filter((key) => made.has(key.auth_id) && !mapped.has(key.auth_id))
  const wanted: readonly MappingEntry[] = [
    ...mappings,
    ...unmapped.map((key) => ({ auth_id: key.auth_id, organization: key.organization })),
  ]
  const ofOne = Map.groupBy(wanted, ({ auth_id: authId }) => authId)
  const turns: MappingEntry[][] = []
  // Those of one auth id depend on each other, so each comes in a turn of its own, by time; one turn for nearly all.
  for (const entries of ofOne.values()) {
    for (const [turn, entry] of entries.toSorted((a, b) => (a.from ?? 0) - (b.from ?? 0)).entries()) (turns[turn] ??= []).push(entry)
  }
  const changes: SyncChange[] = []
  const dueAt: Instant[] = []
  let hours = 0
  for (const turn of turns) {
    const done = await mapAll(work, turn.map(wantedOf))
    changes.push(...done.changes)
    dueAt.push(...done.dueAt)
    hours += done.hours
  }
  return { changes, hours, dueAt }
}

function wantedOf(entry: MappingEntry): WantedMapping {
  return {
    authId: entry.auth_id,
    organizationId: entry.organization,
    userId: entry.user ?? null,
    groupId: entry.group ?? null,
    from: entry.from,
    to: entry.to,
  }
}

/** Makes mappings so, correcting what contradicts them. Each auth id at most once. */
export async function mapAll(work: SyncWork, wanted: readonly WantedMapping[]): Promise<MappingChanges> {
  const plans = await planMappings(work.tx, wanted)
  const changed = plans.flatMap((plan, index) => {
    const { authId = '' } = wanted[index] ?? {}
    if (plan.rows.length === 0) return []
    const change = wanted[index]?.organizationId === null ? 'end' : plan.organizationBefore === null ? 'create' : 'update'
    return [{ kind: 'mapping', change, id: [authId] } as const]
  })
  return { changes: changed, ...(await writeMappings(work.tx, plans, { recordedBy: work.recordedBy })) }
}
