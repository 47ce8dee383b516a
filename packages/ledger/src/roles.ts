import { DatabaseError } from '@ascribe/postgres'
import type { Database, Queryable } from '@ascribe/postgres'
import { LedgerInputError } from './errors.ts'
import { OWNERS_ONLY, TABLE_RIGHTS } from './role-tables.ts'
import type { Reader } from './role-tables.ts'

/** What a process may do with the ledger. Group roles: a login becomes a member of one (`grant ascribe_api to …`). */
export const LEDGER_ROLES = ['ascribe_gateway', 'ascribe_settler', 'ascribe_api', 'ascribe_internal', 'ascribe_admin'] as const
export type LedgerRole = (typeof LEDGER_ROLES)[number]

/** What became of {@link grantRoles}. */
export type GrantOutcome = { readonly created: readonly LedgerRole[]; readonly tables: number }

/**
 * Makes the roles that are missing and gives each exactly what it needs: the gateway nothing, the settler what it derives, the API reading
 * and reports of usage, the internal listener reading, the trail and acting sessions, administrators every row but the trail's. Nobody but the owner changes tables. Safe to repeat; needed again after a migration that adds
 * tables. @throws {LedgerInputError} when roles are missing and this user may not make any: the message has the statements
 */
export async function grantRoles(db: Database): Promise<GrantOutcome> {
  return db.transaction(async (tx) => {
    // Two at once would meet in the catalogue. "ascr" in ASCII, and 5: see locks.ts.
    await tx.query("select pg_advisory_xact_lock((x'61736372'::bigint << 32) | 5)")
    const created = await createMissing(tx)
    const { rows } = await tx.query<{ name: string }>(
      `select c.relname::text as name from pg_class c where c.relnamespace = current_schema()::regnamespace
       and c.relkind in ('r', 'p', 'v') and not c.relispartition order by 1`,
    )
    const tables = rows.map(({ name }) => name)
    const schema = await tx.query<{ name: string }>('select quote_ident(current_schema()) as name')
    await tx.query(statements(tables, schema.rows[0]?.name ?? 'public').join(';\n'))
    return { created, tables: tables.length }
  })
}

async function createMissing(tx: Queryable): Promise<readonly LedgerRole[]> {
  const { rows } = await tx.query<{ rolname: string }>('select rolname::text from pg_roles where rolname = any($1::text[])', [
    [...LEDGER_ROLES],
  ])
  const present = new Set(rows.map(({ rolname }) => rolname))
  const missing = LEDGER_ROLES.filter((role) => !present.has(role))
  if (missing.length === 0) return []
  const sql = missing.map((role) => `create role ${role} nologin`)
  try {
    await tx.query(sql.join(';\n'))
    return missing
  } catch (thrown) {
    if (!(thrown instanceof DatabaseError) || thrown.sqlstate !== '42501') throw thrown
    throw new LedgerInputError(`Cannot make the roles: this user may not, as in many managed databases`, {
      cause: thrown,
      hint: `Let an administrator run \`${sql.join('; ')}\`, then call this again.`,
    })
  }
}

/** Everything is taken away first, so that what was granted by an earlier version, or by hand, does not stay. */
function statements(tables: readonly string[], schema: string): readonly string[] {
  const open = tables.filter((name) => !OWNERS_ONLY.has(name))
  const everybody = LEDGER_ROLES.join(', ')
  return [
    `revoke all on all tables in schema ${schema} from ${everybody}`,
    `revoke all on all sequences in schema ${schema} from ${everybody}`,
    // Functions that act with the rights of their owner. Anybody may call a new one.
    `revoke all on function ${OWNERS_FUNCTIONS.join(', ')} from public, ${everybody}`,
    `grant usage on schema ${schema} to ascribe_settler, ascribe_api, ascribe_internal, ascribe_admin`,
    // All look whether the schema is theirs. A table that nobody has named is the administrators' alone.
    `grant select on ${tables.join(', ')} to ascribe_admin`,
    ...open.flatMap((name) => grants(name, TABLE_RIGHTS[name]?.admin ?? 'insert, update, delete', 'admin')),
    ...tables.filter((name) => name in TABLE_RIGHTS).flatMap((name) => readersGrants(name)),
    // A backup holds where they stand.
    `grant select on all sequences in schema ${schema} to ascribe_admin`,
    `grant execute on function ensure_usage_partition(date) to ascribe_settler, ascribe_api, ascribe_admin`,
    `grant execute on function map_organization_auth_id(uuid) to ascribe_api, ascribe_admin`,
    `grant execute on function append_audit(text, text, text, text, text) to ascribe_settler, ascribe_api, ascribe_internal, ascribe_admin`,
  ]
}

const OWNERS_FUNCTIONS = ['ensure_usage_partition(date)', 'map_organization_auth_id(uuid)', 'append_audit(text, text, text, text, text)']
const READERS: readonly Reader[] = ['settler', 'api', 'internal']

function readersGrants(name: string): readonly string[] {
  const rights = TABLE_RIGHTS[name] ?? {}
  return READERS.filter((reader) => rights.hiddenFrom?.includes(reader) !== true).flatMap((reader) => {
    const columns = reader === 'internal' && rights.internalColumns !== undefined ? ` (${rights.internalColumns.join(', ')})` : ''
    return [...grants(name, `select${columns}`, reader), ...grants(name, rights[reader] ?? '', reader)]
  })
}

function grants(name: string, words: string, role: Reader | 'admin'): readonly string[] {
  return words === '' ? [] : [`grant ${words} on ${name} to ascribe_${role}`]
}
