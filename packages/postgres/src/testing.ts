import { createHash, randomBytes } from 'node:crypto'
import { openDatabase } from './database.ts'
import type { Database, DatabaseOptions, Queryable } from './database.ts'
import { isAlive } from './embedded/postmaster.ts'
import { DatabaseError } from './errors.ts'
import { migrate } from './migrate.ts'
import type { Migration } from './migrate.ts'
import { createTestServer } from './testing/server.ts'
import type { TestServer } from './testing/server.ts'

export { openWired } from './testing/wire.ts'
export type { Wired } from './testing/wire.ts'

export { createTestServer } from './testing/server.ts'
export type { TestServer } from './testing/server.ts'
export { testTryLock } from './testing/lock.ts'

export type TestDatabaseOptions = {
  /** What the database holds. Default: nothing. */
  readonly migrations?: readonly Migration[]
  /** Connections at most. Default 10. */
  readonly max?: number
  readonly logger?: NonNullable<DatabaseOptions['logger']>
}

/** An open database of its own for one test or test file; disposing it closes and drops it. */
export type TestDatabase = Database & {
  /** Its name on the server. */
  readonly name: string
  /** For programs under test that open it themselves. */
  readonly url: string
  /** The same for `openDatabase`. */
  readonly target: Readonly<DatabaseOptions>
}

type Shared = { readonly server: TestServer; readonly admin: Database; users: number }

// The one global: the server is shared by all tests of a process.
let shared: Promise<Shared> | undefined
let serial = 0

/** Databases on an external server that are older than this belong to dead runs; their processes cannot be asked. */
const EXTERNAL_LEFTOVER_S = 6 * 3600
const CLONE_ATTEMPTS_MAX = 3
/** Kept for the next run; some 8 MB each. Whoever misses one makes it again. */
const TEMPLATES_MAX = 8
const PREFIX = 'ascribe_test_'
const TEMPLATE_PREFIX = 'ascribe_template_'

/** Clones the template of these migrations, which the first caller makes. Bind it with `await using`. */
export async function testDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { migrations = [], max, logger } = options
  const { server, admin } = await acquire()
  serial += 1
  const name = `${PREFIX}${Math.trunc(Date.now() / 1000)}_${process.pid}_${serial}${randomBytes(2).toString('hex')}`
  try {
    await clone(server, admin, { name, migrations })
  } catch (thrown) {
    await leave()
    throw thrown
  }
  const target: DatabaseOptions = {
    ...server.targetOf(name),
    ...(max === undefined ? {} : { max }),
    ...(logger === undefined ? {} : { logger }),
  }
  const database = openDatabase(target)
  let disposed: Promise<void> | undefined
  const dispose = async (): Promise<void> => {
    await database.close()
    await dropDatabase(admin, name)
    await leave()
  }
  return {
    ...database,
    name,
    url: server.urlOf(name),
    target,
    [Symbol.asyncDispose]() {
      disposed ??= dispose()
      return disposed
    },
  }
}

async function acquire(): Promise<Shared> {
  shared ??= openShared()
  // Nothing may be awaited between finding the share and counting, or it could be given back in between; hence `then`.
  const mine = shared.then((found) => {
    found.users += 1
    return found
  })
  mine.catch(() => (shared = undefined))
  return mine
}

async function openShared(): Promise<Shared> {
  const server = await createTestServer()
  const admin = openDatabase({ ...server.maintenance, max: 2, applicationName: 'ascribe test databases' })
  await dropLeftovers(server, admin)
  return { server, admin, users: 0 }
}

/** The last database of the process gives the share back, so that nothing keeps the process from ending. */
async function leave(): Promise<void> {
  const current = await shared
  if (current === undefined) return
  current.users -= 1
  if (current.users > 0) return
  shared = undefined
  await current.admin.close()
  await current.server[Symbol.asyncDispose]()
}

const quoted = (name: string): string => `"${name}"`

async function clone(
  server: TestServer,
  admin: Database,
  { name, migrations }: { readonly name: string; readonly migrations: readonly Migration[] },
): Promise<void> {
  if (migrations.length === 0) {
    await admin.query(`create database ${quoted(name)} template template0`)
    return
  }
  for (let attempt = 1; ; attempt += 1) {
    const template = await ensureTemplate(server, admin, migrations)
    try {
      await admin.query(`create database ${quoted(name)} template ${quoted(template)}`)
      return
    } catch (thrown) {
      // 3D000: somebody tidied the template away since. 55006: somebody is connected to it, who has no business there.
      const passes = thrown instanceof DatabaseError && ['3D000', '55006'].includes(thrown.sqlstate ?? '')
      if (!passes || attempt === CLONE_ATTEMPTS_MAX) throw thrown
    }
  }
}

const making = new Map<string, Promise<void>>()

/** Makes the template once per set of migrations: callers of this process wait for one promise, other processes on an advisory lock. */
async function ensureTemplate(server: TestServer, admin: Database, migrations: readonly Migration[]): Promise<string> {
  const digest = createHash('sha256')
    .update(JSON.stringify(migrations.map(({ id, name, sql }) => [id, name, sql])))
    .digest()
  const template = `${TEMPLATE_PREFIX}${digest.toString('hex').slice(0, 24)}`
  let made = making.get(template)
  if (made === undefined) {
    made = makeTemplate(server, admin, { template, lock: digest.readBigInt64BE(), migrations }).finally(() => making.delete(template))
    making.set(template, made)
  }
  await made
  return template
}

type TemplateToMake = { readonly template: string; readonly lock: bigint; readonly migrations: readonly Migration[] }

/** A template is closed to connections when, and only when, it is whole. */
async function makeTemplate(server: TestServer, admin: Database, { template, lock, migrations }: TemplateToMake): Promise<void> {
  const isWhole = async (db: Queryable): Promise<boolean> =>
    (await db.query('select 1 from pg_database where datname = $1 and not datallowconn', [template])).rowCount > 0
  if (await isWhole(admin)) return
  // All on the one session: waiting for a second connection while holding the first could wait for ever.
  await admin.withConnection(async (session) => {
    await session.query('select pg_advisory_lock($1::bigint)', [lock])
    if (await isWhole(session)) return
    await dropDatabase(session, template)
    await session.query(`create database ${quoted(template)} template template0`)
    const database = openDatabase({ ...server.targetOf(template), max: 1, applicationName: 'ascribe test template' })
    try {
      await migrate(database, migrations)
    } finally {
      await database.close()
    }
    await session.query(`alter database ${quoted(template)} allow_connections false`)
  })
}

async function dropDatabase(db: Queryable, name: string): Promise<void> {
  await db.query(`drop database if exists ${quoted(name)} with (force)`)
}

/** Drops what runs that died left behind. The newest templates stay for the next run. */
async function dropLeftovers(server: TestServer, admin: Database): Promise<void> {
  const found = await admin.query<{ datname: string }>('select datname from pg_database where starts_with(datname, $1)', [PREFIX])
  for (const { datname } of found.rows) {
    const [madeAt = '', pid = ''] = datname.slice(PREFIX.length).split('_')
    const isDead = server.kind === 'embedded' ? !(await isAlive(Number(pid))) : Date.now() / 1000 - Number(madeAt) > EXTERNAL_LEFTOVER_S
    // Another process may tidy at the same time.
    if (isDead) await dropDatabase(admin, datname).catch(() => {})
  }
  const old = await admin.query<{ datname: string }>(
    'select datname from pg_database where starts_with(datname, $1) and not datallowconn order by oid desc offset $2',
    [TEMPLATE_PREFIX, TEMPLATES_MAX],
  )
  for (const { datname } of old.rows) await dropDatabase(admin, datname).catch(() => {})
}
