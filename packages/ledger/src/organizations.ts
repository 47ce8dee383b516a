import { isCurrency, isUuid } from '@ascribe/units'
import type { Currency, Instant } from '@ascribe/units'
import { DatabaseError } from '@ascribe/postgres'
import type { Database, Queryable } from '@ascribe/postgres'
import { directoryNow, endTimeline, writeTimeline } from './directory/timeline.ts'
import { LedgerInputError } from './errors.ts'
import { sqlInstant } from './instants.ts'
import { lockDirectory } from './locks.ts'
import { bumpPolicy } from './policy.ts'

/** A customer. Everything it is billed for is in its one currency. */
export type Organization = {
  /** UUID. */
  readonly id: string
  readonly name: string
  readonly currency: Currency
  /** UTC epoch milliseconds. */
  readonly createdAt: number
  /** Under which organization it stands now; absent: under none. */
  readonly parentId?: string
  /** Present: it is no more. Its keys let nobody in; what was used stays billed. */
  readonly ended?: true
}

export type NewOrganization = {
  readonly name: string
  /** Default USD; can never be changed. */
  readonly currency?: Currency
  /** The platform's own UUID for it; default: a new one. */
  readonly id?: string
  readonly parentId?: string
  readonly recordedBy?: string
}

type OrganizationRow = {
  readonly organization_id: string
  readonly name: string
  readonly currency: string
  readonly created_at: number
  readonly parent_id: string | null
  readonly ended: boolean
  readonly cursor: string
}

const SELECT = `
select o.organization_id, o.name, o.currency, o.created_at, p.parent_id, coalesce(v.ended, false) as ended, o.created_at::text as cursor
from organization o
left join lateral (
  select parent_id from organization_parent p where p.organization_id = o.organization_id and p.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) p on true
left join lateral (
  select ended from organization_version v where v.organization_id = o.organization_id and v.valid_from <= clock_timestamp()
  order by valid_from desc, revision desc limit 1
) v on true`

const PAGE = 1000

/** Why a text cannot be the name of an organization; `undefined`: it can. */
function organizationNameFault(name: string): string | undefined {
  return name.trim() === '' || name.includes('\0') ? 'its name is empty or holds NUL' : undefined
}

/** Makes an organization. @throws {LedgerInputError} */
export async function createOrganization(db: Queryable, input: NewOrganization): Promise<Organization> {
  const { name, currency = 'USD', id, parentId, recordedBy } = input
  const fault = organizationNameFault(name)
  if (fault !== undefined) throw new LedgerInputError(`Cannot create an organization: ${fault}`)
  if (!isCurrency(currency)) {
    throw new LedgerInputError(`Cannot create an organization: ${JSON.stringify(currency)} is not a currency`, {
      hint: 'Give three capital letters, such as USD.',
    })
  }
  for (const uuid of [id, parentId]) {
    if (uuid !== undefined && !isUuid(uuid))
      throw new LedgerInputError(`Cannot create an organization: ${JSON.stringify(uuid)} is not a UUID`)
  }
  if (parentId !== undefined && (await findOrganization(db, parentId)) === undefined) {
    throw new LedgerInputError(`Cannot create an organization: there is no organization ${parentId} to stand above it`)
  }
  const { rows } = await db.query<{ organization_id: string; created_at: number }>(
    `with made as (
       insert into organization (organization_id, name, currency)
       values (coalesce($3::uuid, gen_random_uuid()), $1::text, $2::text) on conflict (organization_id) do nothing
       returning organization_id, created_at
     ), placed as (
       insert into organization_parent (organization_id, valid_from, parent_id, recorded_by)
       select organization_id, '-infinity', $4::uuid, $5::text from made where $4::uuid is not null
     )
     select organization_id, created_at from made`,
    [name, currency, id ?? null, parentId ?? null, recordedBy ?? null],
  )
  const [row] = rows
  if (row === undefined) throw new LedgerInputError(`Cannot create an organization: there is one with the id ${id} already`)
  return { id: row.organization_id, name, currency, createdAt: row.created_at, ...(parentId !== undefined && { parentId }) }
}

export type OrganizationFilter = {
  /** Only those that stand directly under this one now. */
  readonly parentId?: string
}

/** All organizations, ended ones too, oldest first; a page at a time, so that any number takes little memory. */
export async function* streamOrganizations(db: Queryable, filter: OrganizationFilter = {}): AsyncGenerator<Organization, void, undefined> {
  const { parentId = null } = filter
  if (parentId !== null && !isUuid(parentId)) return
  let after: readonly [string, string] | undefined
  for (;;) {
    const { rows }: { readonly rows: readonly OrganizationRow[] } = await db.query<OrganizationRow>(
      `${SELECT}
       where ($1::uuid is null or p.parent_id = $1::uuid)
         and ($2::timestamptz is null or (o.created_at, o.organization_id) > ($2::timestamptz, $3::uuid))
       order by o.created_at, o.organization_id limit ${PAGE}`,
      [parentId, after?.[0] ?? null, after?.[1] ?? null],
    )
    for (const row of rows) yield organizationOf(row)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = [last.cursor, last.organization_id]
  }
}

/** The same, all at once. */
export async function listOrganizations(db: Queryable, filter: OrganizationFilter = {}): Promise<readonly Organization[]> {
  return Array.fromAsync(streamOrganizations(db, filter))
}

/** Finds an organization by its id or its exact name; `'ambiguous'` when several have that name. */
export async function findOrganization(db: Queryable, idOrName: string): Promise<Organization | 'ambiguous' | undefined> {
  const id = idOrName.toLowerCase()
  const byId = isUuid(id)
  if (idOrName.includes('\0')) return undefined
  const { rows } = await db.query<OrganizationRow>(
    `${SELECT} where ${byId ? 'o.organization_id = $1::uuid' : 'o.name = $1::text'} limit 2`,
    [byId ? id : idOrName],
  )
  return rows.length > 1 ? 'ambiguous' : rows.map(organizationOf)[0]
}

/** Calls an organization by another name from now on. @throws {LedgerInputError} */
export async function renameOrganization(
  db: Database,
  input: { readonly id: string; readonly name: string; readonly recordedBy?: string },
): Promise<'renamed' | 'unchanged' | 'unknown'> {
  const { id, name, recordedBy } = input
  const fault = organizationNameFault(name)
  if (fault !== undefined) throw new LedgerInputError(`Cannot rename the organization: ${fault}`)
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const found = isUuid(id) ? await findOrganization(tx, id) : undefined
    if (found === undefined || found === 'ambiguous') return 'unknown'
    // Not through writeTimeline: there, who is said to be called something is said to be there.
    if (found.name === name) return 'unchanged'
    await tx.query(
      `insert into organization_version (organization_id, valid_from, revision, name, ended, recorded_by)
       select organization_id, $2::timestamptz, case when valid_from = $2::timestamptz then revision + 1 else 0 end, $3::text, ended, $4::text
       from organization_version where organization_id = $1::uuid order by valid_from desc, revision desc limit 1`,
      [id, sqlInstant(await directoryNow(tx)), name, recordedBy ?? null],
    )
    await tx.query('update organization set name = $2::text where organization_id = $1::uuid', [id, name])
    return 'renamed'
  })
}

/**
 * Says that an organization is no more, from now on: its keys let nobody in; what it used stays billed, and its statements stay readable. Or,
 * with `undo`, that it is there again, with the keys that it had.
 */
export async function endOrganization(
  db: Database,
  input: { readonly id: string; readonly undo?: boolean; readonly recordedBy?: string },
): Promise<'ended' | 'there_again' | 'unchanged' | 'unknown'> {
  const { id, undo = false, recordedBy } = input
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const found = isUuid(id) ? await findOrganization(tx, id) : undefined
    if (found === undefined || found === 'ambiguous') return 'unknown'
    const write = { at: await directoryNow(tx), recordedBy }
    const changes = undo
      ? await writeTimeline(tx, 'organization', { ...write, rows: [{ organization_id: id, name: found.name }] })
      : await endTimeline(tx, 'organization', { ...write, rows: [{ organization_id: id }] })
    if (changes.length === 0) return 'unchanged'
    // Of all of its auth ids, and nobody has a list of them.
    await bumpPolicy(tx)
    return undo ? 'there_again' : 'ended'
  })
}

export type MoveOutcome = 'moved' | 'unchanged' | 'unknown' | 'unknown_parent' | 'circle'

/** Puts an organization under another one, or under none, from an instant on (default: now) until its next move. Never under itself. */
export async function moveOrganization(
  db: Database,
  input: { readonly id: string; readonly parentId: string | null; readonly from?: Instant; readonly recordedBy?: string },
): Promise<MoveOutcome> {
  const { id, parentId, from, recordedBy } = input
  if (!isUuid(id)) return 'unknown'
  if (parentId !== null && !isUuid(parentId)) return 'unknown_parent'
  if (id.toLowerCase() === parentId?.toLowerCase()) return 'circle'
  try {
    return await db.transaction(async (tx) => {
      await lockDirectory(tx)
      if ((await findOrganization(tx, id)) === undefined) return 'unknown'
      if (parentId !== null && (await findOrganization(tx, parentId)) === undefined) return 'unknown_parent'
      const at = from ?? (await directoryNow(tx))
      const changes = await writeTimeline(tx, 'parent', { rows: [{ organization_id: id, parent_id: parentId }], at, recordedBy })
      if (changes.length === 0) return 'unchanged'
      await bumpPolicy(tx, { keys: 'none', dueAt: [at] })
      return 'moved'
    })
  } catch (thrown) {
    if (isCircle(thrown)) return 'circle'
    throw thrown
  }
}

/** Whether the database refused a row because an organization would stand under itself. */
export function isCircle(thrown: unknown): boolean {
  return thrown instanceof DatabaseError && thrown.place.constraint === 'organization_parent_circle'
}

function organizationOf(row: OrganizationRow): Organization {
  return {
    id: row.organization_id,
    name: row.name,
    currency: row.currency,
    createdAt: row.created_at,
    ...(row.parent_id !== null && { parentId: row.parent_id }),
    ...(row.ended && { ended: true }),
  }
}
