import pg from 'pg'
import { DatabaseUrlError } from './errors.ts'
import { VALUE_TYPES } from './value-types.ts'

/** A server behind a unix socket that trusts whoever can reach it. */
export type SocketTarget = {
  /** Folder of the socket; absolute. */
  readonly socketDir: string
  /** The number in the socket's name. Default 5432. */
  readonly port?: number
  readonly user: string
  readonly database: string
}

/** Where a database is: a `postgresql://` URL as libpq takes it, or a socket. */
export type DatabaseTarget = { readonly url: string } | SocketTarget

/** A connection attempt, and the wait for a free pool connection, is given up after this long. */
const CONNECT_TIMEOUT_MS = 10_000

/**
 * The settings on which reading values back relies. Set by a statement, not by start-up parameters: those are overridden by
 * `options` in a URL, and connection poolers refuse most of them.
 */
export const SESSION_SQL = `set timezone = 'UTC'; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set bytea_output = 'hex'`

/** The configuration of `pg` for a target. @throws {DatabaseUrlError} */
export function clientConfig(target: DatabaseTarget, applicationName: string): pg.ClientConfig {
  const shared = {
    application_name: applicationName,
    types: VALUE_TYPES,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  } satisfies pg.ClientConfig
  if ('url' in target) return { ...shared, ...checkedUrl(target.url) }
  // `ssl` and `options` are named so that PGSSLMODE and PGOPTIONS of the environment cannot reach the embedded server.
  const { socketDir, port = 5432, user, database } = target
  return { ...shared, host: socketDir, port, user, database, ssl: false, options: '-c client_min_messages=warning' }
}

function checkedUrl(url: string): pg.ClientConfig {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new DatabaseUrlError(
      'Cannot use the database URL: it must start with postgresql://, for example postgresql://user@host:5432/name',
    )
  }
  try {
    // Parses as it constructs; nothing is opened.
    void new pg.Client({ connectionString: url })
  } catch {
    throw new DatabaseUrlError(
      'Cannot use the database URL: it cannot be parsed; is every special character of the password percent-encoded?',
    )
  }
  return { connectionString: url }
}

/** A `postgresql://` URL of a socket target that libpq's tools understand as well. */
export function socketUrl(target: SocketTarget): string {
  const { socketDir, port = 5432, user, database } = target
  return `postgresql://${encodeURIComponent(user)}@/${encodeURIComponent(database)}?host=${encodeURIComponent(socketDir)}&port=${port}`
}
