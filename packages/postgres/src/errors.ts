import { AscribeError, InputError, errorCode } from '@ascribe/kit'
import type { AscribeErrorOptions } from '@ascribe/kit'

/**
 * What a failed statement means to its caller.
 * `data`: these values can never be stored (quarantine them). `connection`: the server is away or out of means (wait, repeat).
 * `retry`: the transaction lost a race (repeat it now). `other`: a bug or a wrong setting (repeating does not help).
 */
export type DatabaseErrorKind = 'data' | 'connection' | 'retry' | 'other'

/** Where the server says a statement failed. Names and positions only, never values. */
export type DatabaseErrorPlace = {
  readonly constraint?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
  /** Character of the statement, from 1. */
  readonly position?: number | undefined
}

export type DatabaseErrorCode = 'DATABASE_DATA' | 'DATABASE_UNREACHABLE' | 'DATABASE_CONFLICT' | 'DATABASE_FAILED'

const CODES: Readonly<Record<DatabaseErrorKind, DatabaseErrorCode>> = {
  data: 'DATABASE_DATA',
  connection: 'DATABASE_UNREACHABLE',
  retry: 'DATABASE_CONFLICT',
  other: 'DATABASE_FAILED',
}

/**
 * A statement or a connection failed. Holds no value of the statement: PostgreSQL quotes values in its messages of the
 * classes 22 and 23 and in `detail`, so those are left out and the condition is named instead.
 */
export class DatabaseError extends AscribeError {
  /** `DATABASE_DATA`, `DATABASE_UNREACHABLE`, `DATABASE_CONFLICT` or `DATABASE_FAILED`, by `kind`. */
  override readonly code: DatabaseErrorCode
  /** True for the kinds `connection` and `retry`. */
  override readonly retryable: boolean
  readonly kind: DatabaseErrorKind
  /** Five characters (PostgreSQL manual, appendix A); undefined when the server was not reached. */
  readonly sqlstate: string | undefined
  readonly place: DatabaseErrorPlace

  constructor(
    message: string,
    options: AscribeErrorOptions & { readonly kind: DatabaseErrorKind; readonly sqlstate?: string; readonly place?: DatabaseErrorPlace },
  ) {
    super(message, options)
    this.kind = options.kind
    this.code = CODES[options.kind]
    this.retryable = options.kind === 'connection' || options.kind === 'retry'
    this.sqlstate = options.sqlstate
    this.place = options.place ?? {}
  }
}

/** A connection URL cannot be used. Neither message nor cause holds the URL: it may carry a password. */
export class DatabaseUrlError extends InputError {
  override readonly code = 'DATABASE_URL_INVALID'
}

/** The embedded server cannot run on this machine, or not on this folder; an own server through DATABASE_URL can. */
export class EmbeddedUnavailableError extends AscribeError {
  override readonly code = 'POSTGRES_EMBEDDED_UNAVAILABLE'
}

/** The embedded server did not start, stop or answer in time. */
export class EmbeddedFailedError extends AscribeError {
  override readonly code = 'POSTGRES_EMBEDDED_FAILED'
  override readonly retryable = true
}

/** The data folder belongs to another major version of PostgreSQL. */
export class DataVersionError extends AscribeError {
  override readonly code = 'POSTGRES_DATA_VERSION'
}

export type MigrationErrorCode = 'MIGRATION_INVALID' | 'MIGRATION_CHANGED' | 'MIGRATION_DATABASE_NEWER' | 'MIGRATION_FAILED'

/** The database cannot be brought to this program's schema. */
export class MigrationError extends AscribeError {
  override readonly code: MigrationErrorCode
  override readonly retryable: boolean

  constructor(code: MigrationErrorCode, message: string, options: AscribeErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.retryable = options.cause instanceof AscribeError && options.cause.retryable
  }
}

const SQLSTATE = /^[0-9A-Z]{5}$/

const RETRY = new Set(['40001', '40P01', '55P03'])

/** Codes of Node's sockets and resolver that mean "not reachable now". */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EACCES',
])

/** What pg says, without a code, when a connection is gone or none can be had. */
const CONNECTION_LOST =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed|Connection ended|Query read timeout|read ECONNRESET|write EPIPE)/

/** Names of the conditions whose messages are withheld; the commonest ones, others show their SQLSTATE alone. */
const CONDITIONS: Readonly<Record<string, string>> = {
  '21000': 'cardinality violation',
  '22001': 'text too long',
  '22003': 'number out of range',
  '22007': 'invalid date or time',
  '22008': 'date or time out of range',
  '22012': 'division by zero',
  '22021': 'text holds a character that cannot be stored, such as NUL',
  '22023': 'invalid parameter',
  '22P02': 'invalid text representation',
  '22P03': 'invalid binary representation',
  '22P05': 'text holds a character that cannot be stored, such as NUL',
  '23502': 'not-null violation',
  '23503': 'foreign key violation',
  '23505': 'unique violation',
  '23514': 'check violation',
  '23P01': 'exclusion violation',
  '44000': 'check option violation',
}

/** Classes whose messages quote values: cardinality, data, integrity, check option. */
const QUOTES_VALUES = new Set(['21', '22', '23', '44'])

/** The kind of a SQLSTATE, by its class (PostgreSQL manual, appendix A). */
export function kindOfSqlstate(sqlstate: string): DatabaseErrorKind {
  if (RETRY.has(sqlstate)) return 'retry'
  if (sqlstate.startsWith('57P0')) return 'connection'
  switch (sqlstate.slice(0, 2)) {
    case '22':
    case '23':
      return 'data'
    case '08':
    case '53':
      return 'connection'
    default:
      return 'other'
  }
}

function textField(thrown: object, name: string): string | undefined {
  const value: unknown = Reflect.get(thrown, name)
  return typeof value === 'string' ? value : undefined
}

/**
 * Turns what `pg` threw into a {@link DatabaseError}; an {@link AscribeError} is given back as it is.
 * `doing` completes "Cannot …", for example `run a statement`.
 */
export function toDatabaseError(thrown: unknown, doing: string): AscribeError {
  if (thrown instanceof AscribeError) return thrown
  if (!(thrown instanceof Error)) return new DatabaseError(`Cannot ${doing}: ${String(thrown)} was thrown`, { kind: 'other' })
  const code = errorCode(thrown)
  // Only messages of the server carry a severity; Node's codes (EPIPE!) can have five letters, too.
  if (code !== undefined && SQLSTATE.test(code) && textField(thrown, 'severity') !== undefined) return serverError(thrown, code, doing)
  const lost = (code !== undefined && UNREACHABLE.has(code)) || CONNECTION_LOST.test(thrown.message)
  // An AggregateError of several addresses has an empty message.
  const reason = thrown.message === '' ? (code ?? thrown.name) : thrown.message
  return new DatabaseError(`Cannot ${doing}: ${reason}`, { kind: lost ? 'connection' : 'other', cause: thrown })
}

function serverError(thrown: Error, sqlstate: string, doing: string): DatabaseError {
  const withheld = QUOTES_VALUES.has(sqlstate.slice(0, 2))
  const column = textField(thrown, 'column')
  const table = textField(thrown, 'table')
  const constraint = textField(thrown, 'constraint')
  const where = [constraint && `constraint ${constraint}`, column && `column ${column}`, table && `table ${table}`]
    .filter(Boolean)
    .join(', ')
  const reason = withheld ? (CONDITIONS[sqlstate] ?? 'the values were refused') : thrown.message
  const position = Number(textField(thrown, 'position') ?? Number.NaN)
  // No cause: the original carries `detail` with values, and its message may, too.
  return new DatabaseError(`Cannot ${doing}: ${reason} (SQLSTATE ${sqlstate}${where === '' ? '' : `, ${where}`})`, {
    kind: kindOfSqlstate(sqlstate),
    sqlstate,
    place: { constraint, table, column, position: Number.isNaN(position) ? undefined : position },
  })
}
