import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'

/** A kind of thing whose history the directory keeps, see the migration: one table, one row for each instant at which something changed. */
export type Timeline = {
  readonly table: string
  /** What a row is about. */
  readonly keys: Readonly<Record<string, 'text' | 'uuid'>>
  /** What it says. */
  readonly values: Readonly<Record<string, 'text' | 'uuid' | 'bigint'>>
  /** Whether it can say that there is no such thing any more. */
  readonly hasEnd: boolean
  /** What does not come back when a thing that had ended is there again: who becomes a member once more is no admin for having been one. */
  readonly forgets?: readonly string[]
}

/** Columns by name. A value that is undefined stays as it is. */
export type TimelineRow = Readonly<Record<string, string | null | undefined>>

export type TimelineChange = { readonly change: 'create' | 'update' | 'end'; readonly key: TimelineRow }

export type TimelineName =
  | 'organization'
  | 'parent'
  | 'user'
  | 'group'
  | 'resource'
  | 'organization_member'
  | 'group_member'
  | 'cloud_owner'
  | 'terms'

const TIMELINES: Readonly<Record<TimelineName, Timeline>> = {
  organization: { table: 'organization_version', keys: { organization_id: 'uuid' }, values: { name: 'text' }, hasEnd: true },
  parent: { table: 'organization_parent', keys: { organization_id: 'uuid' }, values: { parent_id: 'uuid' }, hasEnd: false },
  user: { table: 'user_version', keys: { user_id: 'text' }, values: { name: 'text', email: 'text' }, hasEnd: true },
  group: { table: 'group_version', keys: { group_id: 'text' }, values: { organization_id: 'uuid', name: 'text' }, hasEnd: true },
  resource: {
    table: 'resource_version',
    keys: { resource_id: 'text' },
    values: { resource_type: 'text', name: 'text', organization_id: 'uuid', region: 'text' },
    hasEnd: true,
  },
  organization_member: {
    table: 'organization_member',
    keys: { user_id: 'text', organization_id: 'uuid' },
    values: { role: 'text' },
    hasEnd: true,
    forgets: ['role'],
  },
  group_member: { table: 'group_member', keys: { user_id: 'text', group_id: 'text' }, values: {}, hasEnd: true },
  cloud_owner: { table: 'cloud_owner', keys: { user_id: 'uuid' }, values: { organization_id: 'uuid' }, hasEnd: true },
  terms: {
    table: 'credential_terms',
    keys: { scope: 'text', subject: 'text' },
    values: {
      abort: 'text',
      drain_ms: 'bigint',
      drain_bytes: 'bigint',
      drain_tokens: 'bigint',
      max_concurrent: 'bigint',
      body_sample: 'bigint',
    },
    hasEnd: true,
    forgets: ['abort', 'drain_ms', 'drain_bytes', 'drain_tokens', 'max_concurrent', 'body_sample'],
  },
}

type Write = {
  readonly rows: readonly TimelineRow[]
  /** From when on; nothing may be planned for later. */
  readonly at: Instant
  readonly recordedBy: string | undefined
}

/**
 * Says for things that they are there, and so, from an instant on; adds rows only for what is not so already. Each key at most once. The caller holds
 * lockDirectory().
 */
export async function writeTimeline(tx: Queryable, name: TimelineName, write: Write): Promise<readonly TimelineChange[]> {
  if (write.rows.length === 0) return []
  const { table, keys, values, hasEnd } = TIMELINES[name]
  const [keyNames, valueNames] = [Object.keys(keys), Object.keys(values)]
  const isNew = hasEnd ? `(v.${keyNames[0]} is null or v.ended)` : `v.${keyNames[0]} is null`
  const said = valueNames.map((column) => `case when w.has_${column} then w.${column} else v.${column} end as ${column}`)
  const differs = valueNames.map((column) => `w.has_${column} and v.${column} is distinct from w.${column}`)
  const columns = { ...keys, ...values, ...Object.fromEntries(valueNames.map((column) => [`has_${column}`, 'boolean'])) }
  return run(
    tx,
    `with wanted as materialized (select * from json_to_recordset($1::json) as w (${columnTypes(columns)})),
    changed as materialized (
      select ${[...keyNames.map((key) => `w.${key}`), ...said].join(', ')}, ${isNew} as is_new,
        case when v.valid_from = $2::timestamptz then v.revision + 1 else 0 end as next_revision
      from wanted w left join lateral (${atSql(table, keyNames, 'w')}) v on true
      where ${(hasEnd ? [isNew, ...differs] : differs).join(' or ')}
    ),
    added as (
      insert into ${table} (${[...keyNames, ...valueNames].join(', ')}, valid_from, revision, recorded_by)
      select ${[...keyNames, ...valueNames].join(', ')}, $2::timestamptz, next_revision, $3::text from changed
    )
    select case when is_new then 'create' else 'update' end as change, ${keyNames.join(', ')} from changed order by ${keyNames.join(', ')}`,
    { ...write, rows: write.rows.map((row) => withFlags(row, valueNames)) },
  )
}

/** JSON leaves out what is undefined; the statement has to tell that from null. */
function withFlags(row: TimelineRow, columns: readonly string[]): TimelineRow {
  return { ...row, ...Object.fromEntries(columns.map((column) => [`has_${column}`, row[column] === undefined ? 'false' : 'true'])) }
}

/** Says for things that there are no such any more, from an instant on. Rows need their keys only. The caller holds lockDirectory(). */
export async function endTimeline(tx: Queryable, name: TimelineName, write: Write): Promise<readonly TimelineChange[]> {
  if (write.rows.length === 0) return []
  const { table, keys, values, forgets = [] } = TIMELINES[name]
  const [keyNames, valueNames] = [Object.keys(keys), Object.keys(values)]
  const kept = valueNames.map((column) => (forgets.includes(column) ? 'null' : column))
  return run(
    tx,
    `with wanted as materialized (select * from json_to_recordset($1::json) as w (${columnTypes(keys)})),
    changed as materialized (
      select v.*, case when v.valid_from = $2::timestamptz then v.revision + 1 else 0 end as next_revision
      from wanted w cross join lateral (${atSql(table, keyNames, 'w')}) v
      where not v.ended
    ),
    added as (
      insert into ${table} (${[...keyNames, ...valueNames].join(', ')}, valid_from, revision, ended, recorded_by)
      select ${[...keyNames, ...kept].join(', ')}, $2::timestamptz, next_revision, true, $3::text from changed
    )
    select 'end' as change, ${keyNames.join(', ')} from changed order by ${keyNames.join(', ')}`,
    write,
  )
}

async function run(tx: Queryable, sql: string, { rows, at, recordedBy }: Write): Promise<readonly TimelineChange[]> {
  const result = await tx.query<{ change: TimelineChange['change'] } & TimelineRow>(sql, [
    JSON.stringify(rows),
    sqlInstant(at),
    recordedBy ?? null,
  ])
  return result.rows.map(({ change, ...key }) => ({ change, key }))
}

/** The row in force at $2 for the keys of `alias`. */
function atSql(table: string, keys: readonly string[], alias: string): string {
  return `select * from ${table} t where ${keys.map((key) => `t.${key} = ${alias}.${key}`).join(' and ')}
        and t.valid_from <= $2::timestamptz order by t.valid_from desc, t.revision desc limit 1`
}

function columnTypes(columns: Readonly<Record<string, string>>): string {
  return Object.entries(columns)
    .map(([column, type]) => `${column} ${type}`)
    .join(', ')
}

/** The database's clock, for what begins now: all of a change begins at one instant. */
export async function directoryNow(tx: Queryable): Promise<Instant> {
  const { rows } = await tx.query<{ now: number }>("select date_trunc('milliseconds', clock_timestamp()) as now")
  const [row] = rows
  if (row === undefined) throw new Error('the clock gave no row')
  return row.now
}

/** A row as it stands, with the columns of its table besides. */
export type TimelineEntry = Readonly<Record<string, unknown>> & {
  readonly valid_from: number
  readonly revision: number
  readonly recorded_at: number
  readonly recorded_by: string | null
}

/** Everything that was ever said of the things whose `column` is `id`; rows that a correction overrules too. */
export async function readTimeline(
  db: Queryable,
  name: TimelineName,
  { column, id }: { readonly column: string; readonly id: string },
): Promise<readonly TimelineEntry[]> {
  const { table, keys } = TIMELINES[name]
  const type = keys[column]
  if (type === undefined) throw new Error(`${table} has no key ${column}`)
  const where =
    column === 'group_id' && table === 'group_member' ? 'hashtextextended(group_id, 0) = hashtextextended($1::text, 0) and ' : ''
  const { rows } = await db.query<TimelineEntry>(
    `select * from ${table} where ${where}${column} = $1::${type} order by valid_from, revision`,
    [id],
  )
  return rows
}
