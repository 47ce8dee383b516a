import type { LogFields, Logger } from '@ascribe/kit'
import { type Logger as Pino, pino, stdTimeFunctions } from 'pino'
import { cleanFields } from './log-fields.ts'
import { prettyLine } from './pretty-line.ts'

/** Lines below it are not written. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export type LoggerOptions = {
  /** The process: `gateway`, `settler`. The field `process` of every line. */
  readonly name: string
  /** Default `info`. */
  readonly level?: LogLevel
  /** `pretty`: one readable line for people; `json`: one JSON object a line. Default: pretty on a terminal, else JSON. */
  readonly format?: 'pretty' | 'json'
  /** Default standard error: standard output belongs to results. Coloured only if it is a terminal; NO_COLOR is honoured. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

// What the logger itself writes on every line; a caller's field of that name gets a trailing underscore.
const OWN_FIELDS = ['level', 'time', 'message', 'process'] as const

/** The real {@link Logger}. Writes at once, in order, from this thread. A stream that breaks silences it; nothing else does. */
export function createLogger(options: LoggerOptions): Logger {
  const stream = options.stream ?? process.stderr
  keepAlive(stream)
  const format = options.format ?? (stream.isTTY === true ? 'pretty' : 'json')
  const destination = format === 'json' ? stream : { write: (line: string): unknown => stream.write(prettyLine(line, stream)) }
  const root = pino(
    {
      level: options.level ?? 'info',
      base: { process: options.name },
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are described by cleanFields(); pino's own serializer would add the whole object.
      serializers: {},
    },
    destination,
  )
  return over(root)
}

function over(pinoLogger: Pino): Logger {
  const write = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: LogFields | undefined): void => {
    if (!pinoLogger.isLevelEnabled(level)) return
    pinoLogger[level](fields === undefined ? {} : fieldsOf(fields), message)
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => over(pinoLogger.child(fieldsOf(fields))),
  }
}

function fieldsOf(fields: LogFields): Record<string, unknown> {
  const clean = cleanFields(fields)
  for (const name of OWN_FIELDS) {
    if (!(name in clean)) continue
    clean[`${name}_`] = clean[name]
    delete clean[name]
  }
  return clean
}

const kept = new WeakSet<NodeJS.WritableStream>()

/** Who reads the log may leave (`| head`, a closed terminal): that must not end the process that bills. */
function keepAlive(stream: NodeJS.WritableStream): void {
  if (kept.has(stream)) return
  kept.add(stream)
  stream.on('error', () => {})
}
