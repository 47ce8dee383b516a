/** Values that stand beside a log message. Never a token, a key or a body. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Structured logging. `message` is a constant string; everything that varies is a field.
 * An error goes into the field `error`: the shell writes its whole cause chain, once.
 */
export type Logger = {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}

const nothing = (): void => {}

/** Says nothing. For tests and for tools whose output is their result. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
}
