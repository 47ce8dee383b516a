import type { Queryable } from '@ascribe/postgres'
import type { DirectoryDocument } from './document.ts'
import { changesOf, groupMembers, mapAll, organizationMembers } from './sync-sections.ts'
import type { MappingChanges, SyncChange, SyncKind, SyncWork } from './sync-sections.ts'
import { endTimeline } from './timeline.ts'

/** Something that a source delivered before and does not any more. */
export type Missing = { readonly kind: SyncKind; readonly id: readonly string[] }

/** What a document delivers, by kind; only the kinds that it speaks of. Keys are not among them: they never end by being absent. */
function delivered(document: DirectoryDocument): ReadonlyMap<SyncKind, readonly (readonly string[])[]> {
  const kinds = new Map<SyncKind, readonly (readonly string[])[]>()
  const { organizations, groups, users, resources, mappings } = document
  if (organizations !== undefined)
    kinds.set(
      'organization',
      organizations.map(({ id }) => [id]),
    )
  if (groups !== undefined)
    kinds.set(
      'group',
      groups.map(({ id }) => [id]),
    )
  if (resources !== undefined)
    kinds.set(
      'resource',
      resources.map(({ id }) => [id]),
    )
  if (users !== undefined) {
    kinds.set(
      'user',
      users.map(({ id }) => [id]),
    )
    kinds.set(
      'organization_member',
      organizationMembers(document).map((row) => [row.user_id, row.organization_id]),
    )
    kinds.set(
      'group_member',
      groupMembers(document).map((row) => [row.user_id, row.group_id]),
    )
  }
  if (mappings !== undefined)
    kinds.set(
      'mapping',
      [...new Set(mappings.map(({ auth_id: authId }) => authId))].map((id) => [id]),
    )
  return kinds
}

/** What the source delivered before, of the kinds that the document speaks of, and the part of it that is missing now. */
export async function findMissing(
  tx: Queryable,
  document: DirectoryDocument,
  source: string,
): Promise<{ readonly known: number; readonly missing: readonly Missing[] }> {
  const kinds = delivered(document)
  const { rows } = await tx.query<{ kind: SyncKind; id: string }>(
    'select kind, id from directory_source where source = $1::text and kind = any($2::text[])',
    [source, [...kinds.keys()]],
  )
  const here = new Set([...kinds].flatMap(([kind, ids]) => ids.map((id) => keyOf({ kind, id }))))
  // A user whose entry does not say of what he is a member stays one.
  const silent = {
    organization_member: new Set(document.users?.filter(({ organizations }) => organizations === undefined).map(({ id }) => id)),
    group_member: new Set(document.users?.filter(({ groups }) => groups === undefined).map(({ id }) => id)),
  }
  const known = rows.map(({ kind, id }) => ({ kind, id: JSON.parse(id) as readonly string[] }))
  const missing = known.filter((each) => {
    if (here.has(keyOf(each))) return false
    const [user = ''] = each.id
    return each.kind === 'organization_member' || each.kind === 'group_member' ? !silent[each.kind].has(user) : true
  })
  return { known: known.length, missing }
}

function keyOf({ kind, id }: Missing): string {
  return JSON.stringify([kind, id])
}

/** Ends what is missing from now on, and forgets that the source ever delivered it. */
export async function endMissing(work: SyncWork, missing: readonly Missing[], source: string): Promise<MappingChanges> {
  const { tx, at, recordedBy } = work
  const of = (kind: SyncKind): readonly (readonly string[])[] => missing.filter((each) => each.kind === kind).map(({ id }) => id)
  const changes: SyncChange[] = []
  const KEYS = {
    group_member: ['user_id', 'group_id'],
    organization_member: ['user_id', 'organization_id'],
    user: ['user_id'],
    group: ['group_id'],
    resource: ['resource_id'],
    organization: ['organization_id'],
  } as const
  for (const [kind, names] of Object.entries(KEYS) as [keyof typeof KEYS, readonly string[]][]) {
    const rows = of(kind).map((id) => Object.fromEntries(names.map((name, index) => [name, id[index] ?? ''])))
    changes.push(...changesOf(kind, await endTimeline(tx, kind, { rows, at, recordedBy })))
  }
  const nobody = { organizationId: null, userId: null, groupId: null, from: at, to: undefined }
  const mapped = await mapAll(
    work,
    of('mapping').map(([authId = '']) => ({ ...nobody, authId })),
  )
  await tx.query(
    `delete from directory_source d using json_to_recordset($2::json) as r (kind text, id text)
     where d.source = $1::text and d.kind = r.kind and d.id_hash = md5(r.id)::uuid and d.id = r.id`,
    [source, JSON.stringify(missing.map(({ kind, id }) => ({ kind, id: JSON.stringify(id) })))],
  )
  return { ...mapped, changes: [...changes, ...mapped.changes] }
}

/** Remembers what a source has delivered. */
export async function noteDelivered(tx: Queryable, document: DirectoryDocument, source: string): Promise<void> {
  for (const [kind, ids] of delivered(document)) {
    await tx.query(
      `insert into directory_source (source, kind, id) select $1::text, $2::text, id from json_array_elements_text($3::json) as r (id)
       on conflict (source, kind, id_hash) do nothing`,
      [source, kind, JSON.stringify(ids.map((id) => JSON.stringify(id)))],
    )
  }
}
