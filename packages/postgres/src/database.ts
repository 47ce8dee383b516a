import pg from 'pg'
import { assert, silentLogger } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { SESSION_SQL, clientConfig } from './connection.ts'
import { copyIn, copyOut } from './copy.ts'
import type { DatabaseTarget } from './connection.ts'
import { DatabaseError, toDatabaseError } from './errors.ts'
import { subscribe } from './listen.ts'
import type { NoticeHandler, Subscription } from './listen.ts'
import { createStatementNames, isStale } from './statement-names.ts'

/** What a statement gave back. */
export type QueryResult<Row> = {
  readonly rows: readonly Row[]
  /** Rows returned, or changed by a statement that returns none. */
  readonly rowCount: number
}

/** Something statements can be run on: a pool, a transaction, a connection. */
export type Queryable = {
  /**
   * Runs one statement with `$1`, `$2`, … from `values`; without values it may be several statements, which then run as one transaction.
   * Values: text, number, bigint, boolean, null, Uint8Array, arrays of these (an SQL array), plain objects (JSON; an array meant as JSON
   * has to be text already). `undefined` is refused. `Row` is the caller's claim about the columns; see `VALUE_TYPES` for what becomes of types.
   * @throws {DatabaseError}
   */
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
}

/** What a transaction runs on: statements, and whole tables as streams. */
export type Transaction = Queryable & {
  /** Runs `copy … to stdout` and gives its bytes as they come, in bounded memory. No other statement runs before its end. @throws {DatabaseError} */
  copyOut(sql: string): AsyncGenerator<Uint8Array, void, undefined>
  /** Runs `copy … from stdin` with these bytes; gives the number of rows. What `chunks` throws ends it and comes out as it is. @throws {DatabaseError} */
  copyIn(sql: string, chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>): Promise<number>
}

export type TransactionOptions = {
  /** Default: the server's, `read committed`. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  /** Default false. */
  readonly readOnly?: boolean
}

export type DatabaseOptions = DatabaseTarget & {
  /** Connections at most. Default 10. A caller that waits longer than 10 s for one gets an error of kind `connection`. */
  readonly max?: number
  /** Shown in `pg_stat_activity`. Default `ascribe`. */
  readonly applicationName?: string
  /** A statement is cancelled after this long (SQLSTATE 57014). Default: never. */
  readonly statementTimeoutMs?: number
  /** A transaction left idle for this long is ended by the server, so that a hung program holds no locks for ever. Default 60 s; 0: never. */
  readonly idleInTransactionTimeoutMs?: number
  /**
   * Every connection goes on as this role, of which the login has to be a member (PostgreSQL: `set role`). It keeps a program from what it has no
   * business with; a statement that was smuggled in could go back (`reset role`), which a login of its own forbids. Subscriptions stay the login's.
   */
  readonly role?: string
  /**
   * How many different statements with values each connection keeps prepared, outside of transactions: planning them again each time costs as
   * much as running short ones. Not for a pooler that changes connections between statements. Default 0: none.
   */
  readonly prepared?: number
  readonly logger?: Logger
}

/** A pool of connections to one database. Connections are opened when they are needed, so opening never fails for a server that is away. */
export type Database = Queryable &
  AsyncDisposable & {
    /**
     * Runs `fn` in a transaction: commits what it did when it returns, rolls back when it throws, and rethrows.
     * Statements run one after the other. An error of kind `connection` leaves it unknown whether a commit happened: repeat only what is idempotent.
     * @throws {DatabaseError} also when `fn` swallowed the error of a statement, because nothing was committed then.
     */
    transaction<Result>(fn: (tx: Transaction) => Promise<Result>, options?: TransactionOptions): Promise<Result>
    /** Runs `fn` on one connection, for session state such as advisory locks. The connection is closed afterwards, never reused. */
    withConnection<Result>(fn: (connection: Queryable) => Promise<Result>): Promise<Result>
    /** Calls `handler` for every `notify` on `channel`, on a connection of its own that is made again whenever it breaks. */
    listen(channel: string, handler: NoticeHandler): Subscription
    /** Waits for running statements, ends subscriptions, closes every connection. Safe to call twice. */
    close(): Promise<void>
  }

const POOL_MAX = 10
const IDLE_IN_TRANSACTION_MS = 60_000

/** Opens a pool. Nothing is connected yet. @throws {DatabaseUrlError} */
export function openDatabase(options: DatabaseOptions): Database {
  const { applicationName = 'ascribe', logger = silentLogger } = options
  const config = clientConfig(options, applicationName)
  const pool = createPool(config, options, logger)
  const subscriptions = new Set<Subscription>()
  const names = createStatementNames(options.prepared ?? 0)
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    await Promise.all([...subscriptions].map((subscription) => subscription[Symbol.asyncDispose]()))
    await pool.end()
  }

  const database: Database = {
    async query(text, values) {
      const client = await checkout(pool)
      const name = values === undefined ? undefined : names.nameOf(text)
      return name === undefined
        ? usingClient(client, () => runQuery(client, text, values))
        : runPrepared(client, { name, text, values: values ?? [] })
    },
    async transaction(fn, transactionOptions = {}) {
      return runTransaction(await checkout(pool), fn, transactionOptions)
    },
    async withConnection(fn) {
      const client = await checkout(pool)
      const session = createSession(client)
      try {
        return await fn(session.queryable)
      } finally {
        session.close()
        client.release(true)
      }
    },
    listen(channel, handler) {
      assert(closing === undefined, 'listen() on a database that is closed')
      const inner = subscribe({ config, channel, handler, logger })
      const subscription: Subscription = {
        async [Symbol.asyncDispose]() {
          await inner[Symbol.asyncDispose]()
          subscriptions.delete(subscription)
        },
      }
      subscriptions.add(subscription)
      return subscription
    },
    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]: () => database.close(),
  }
  return database
}

function createPool(config: pg.ClientConfig, options: DatabaseOptions, logger: Logger): pg.Pool {
  const { max = POOL_MAX, statementTimeoutMs, idleInTransactionTimeoutMs = IDLE_IN_TRANSACTION_MS } = options
  const sql = [SESSION_SQL, `set idle_in_transaction_session_timeout = ${Math.trunc(idleInTransactionTimeoutMs)}`]
  if (statementTimeoutMs !== undefined) sql.push(`set statement_timeout = ${Math.trunc(statementTimeoutMs)}`)
  if (options.role !== undefined) sql.push(`set role "${options.role.replaceAll('"', '""')}"`)
  const poolConfig: pg.PoolConfig & { onConnect: (client: pg.ClientBase) => Promise<void> } = {
    ...config,
    max,
    // The pool waits for this promise before it hands out the connection; its types know only a void return.
    onConnect: async (client) => {
      await client.query(sql.join('; '))
    },
  }
  const pool = new pg.Pool(poolConfig)
  pool.on('error', (error) => logger.warn('idle database connection lost', { error: toDatabaseError(error, 'keep a connection') }))
  // pg takes its own listener away while a connection is in use; without one an 'error' event ends the process.
  // The statement that runs, or the next one, reports the failure.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

async function checkout(pool: pg.Pool): Promise<pg.PoolClient> {
  if (pool.ending) throw new DatabaseError('Cannot run a statement: the database was closed', { kind: 'other' })
  try {
    return await pool.connect()
  } catch (thrown) {
    throw toDatabaseError(thrown, 'connect to the database')
  }
}

/** Gives the connection back; destroys it when the error says that it is broken. */
async function usingClient<Result>(client: pg.PoolClient, work: () => Promise<Result>): Promise<Result> {
  let broken = false
  try {
    return await work()
  } catch (thrown) {
    broken = thrown instanceof DatabaseError && thrown.sqlstate === undefined
    throw thrown
  } finally {
    client.release(broken)
  }
}

type Prepared = { readonly name: string; readonly text: string; readonly values: readonly unknown[] }

/** Where what was prepared does not fit any more, the statement is run as it is, and the connection ends with all that it has prepared. */
async function runPrepared<Row extends object>(client: pg.PoolClient, { name, text, values }: Prepared): Promise<QueryResult<Row>> {
  let isOver = false
  try {
    return await run<Row>(client, { name, text, values })
  } catch (thrown) {
    isOver = thrown instanceof DatabaseError && (thrown.sqlstate === undefined || isStale(thrown.sqlstate))
    if (thrown instanceof DatabaseError && isStale(thrown.sqlstate)) return await runQuery<Row>(client, text, values)
    throw thrown
  } finally {
    client.release(isOver)
  }
}

async function runQuery<Row extends object>(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[] | undefined,
): Promise<QueryResult<Row>> {
  return run<Row>(client, values === undefined ? { text } : { text, values })
}

type Asked = { readonly text: string; readonly values?: readonly unknown[]; readonly name?: string }

async function run<Row extends object>(client: pg.ClientBase, { text, values, name }: Asked): Promise<QueryResult<Row>> {
  const missing = values?.indexOf(undefined) ?? -1
  assert(missing === -1, `the value of $${missing + 1} is undefined; pass null where NULL is meant`)
  const config = values === undefined ? text : { text, values: [...values], ...(name !== undefined && { name }) }
  try {
    const result = await client.query<Row>(config)
    // Several statements give an array of results; the last one is the answer.
    const last = Array.isArray(result) ? (result.at(-1) as pg.QueryResult<Row>) : result
    return { rows: last.rows, rowCount: last.rowCount ?? 0 }
  } catch (thrown) {
    throw toDatabaseError(thrown, 'run a statement')
  }
}

type Session = {
  readonly queryable: Transaction
  /** Waits for statements that nobody awaited. */
  settle(): Promise<void>
  close(): void
}

/** Runs statements one after the other, so that a rollback comes after all of them; refuses any after `close`. */
function createSession(client: pg.PoolClient): Session {
  let tail: Promise<unknown> = Promise.resolve()
  let open = true
  const assertOpen = (): void => assert(open, 'copying in a transaction that has ended')
  return {
    queryable: {
      query(text, values) {
        if (!open) return Promise.reject(new DatabaseError('Cannot run a statement: its transaction has ended', { kind: 'other' }))
        const result = tail.then(() => runQuery<never>(client, text, values))
        tail = result.catch(() => {})
        return result
      },
      async *copyOut(sql) {
        assertOpen()
        const done = Promise.withResolvers<void>()
        const before = tail
        tail = done.promise
        try {
          await before
          yield* copyOut(client, sql)
        } finally {
          done.resolve()
        }
      },
      copyIn(sql, chunks) {
        assertOpen()
        const result = tail.then(() => copyIn(client, sql, chunks))
        tail = result.catch(() => {})
        return result
      },
    },
    async settle() {
      open = false
      await tail
    },
    close() {
      open = false
    },
  }
}

function beginSql({ isolation, readOnly = false }: TransactionOptions): string {
  return `begin${isolation === undefined ? '' : ` isolation level ${isolation}`}${readOnly ? ' read only' : ''}`
}

async function runTransaction<Result>(
  client: pg.PoolClient,
  fn: (tx: Transaction) => Promise<Result>,
  options: TransactionOptions,
): Promise<Result> {
  const session = createSession(client)
  let broken = false
  try {
    await runQuery(client, beginSql(options), undefined)
    const result = await fn(session.queryable)
    await session.settle()
    await commit(client)
    return result
  } catch (thrown) {
    await session.settle()
    try {
      await client.query('rollback')
    } catch {
      // Its state is unknown, so it must not serve anybody else. The server rolls back when the connection ends.
      broken = true
    }
    throw thrown
  } finally {
    client.release(broken)
  }
}

async function commit(client: pg.PoolClient): Promise<void> {
  let command: string
  try {
    command = (await client.query('commit')).command
  } catch (thrown) {
    throw toDatabaseError(thrown, 'commit a transaction')
  }
  // A transaction in which a statement failed answers COMMIT with ROLLBACK, and without an error.
  if (command !== 'COMMIT') {
    throw new DatabaseError('Cannot commit a transaction: a statement in it failed, so everything was rolled back', { kind: 'other' })
  }
}
