import { styleText } from 'node:util'
import { withProgress } from './progress.ts'

/** Where a command's result goes. `stdout` is the result and nothing else; progress and notes go to `stderr`. */
export type Output = {
  readonly json: boolean
  /** Whether a person sees the result as it comes. */
  readonly terminal: boolean
  /** A piece of the result as it is; resolves once there is room for more. */
  readonly write: (text: string) => Promise<void>
  /** One line of the result. */
  readonly line: (text: string) => void
  /** The result as one JSON line (`--json`). */
  readonly value: (value: unknown) => void
  /** Rows for people: aligned columns under a header. */
  readonly table: (columns: readonly Column[], rows: readonly (readonly string[])[]) => void
  /** Says what is being done while `work` takes long. */
  readonly progress: <Result>(what: string, work: Promise<Result>) => Promise<Result>
  /** A word to the person, not part of the result. */
  readonly note: (text: string) => void
  readonly style: Style
}

export type Column = { readonly title: string; readonly align?: 'left' | 'right' }
/** Words in the colours of a terminal, or plain. */
export type Style = Readonly<Record<'dim' | 'bold' | 'good' | 'bad' | 'warn', (text: string) => string>>

type Stream = NodeJS.WriteStream

export type OutputOptions = { readonly json: boolean; readonly stdout: Stream; readonly stderr: Stream }

export function createOutput(options: OutputOptions): Output {
  const { json, stdout, stderr } = options
  const style = styleFor(stdout)
  const line = (text: string): void => {
    // Once a write has failed there is nobody to write for.
    if (!stdout.destroyed) stdout.write(`${text}\n`)
  }
  return {
    json,
    terminal: stdout.isTTY === true,
    style,
    async write(text) {
      // Once a write has failed there is nobody to write for.
      if (stdout.destroyed || stdout.write(text)) return
      const room = Promise.withResolvers<void>()
      stdout.on('drain', room.resolve).on('close', room.resolve)
      await room.promise
      stdout.off('drain', room.resolve).off('close', room.resolve)
    },
    line,
    value: (value) => line(JSON.stringify(value)),
    table: (columns, rows) => {
      // On a terminal one long name must not push everything else out of sight; in a pipe nothing is cut.
      const shown = stdout.isTTY ? rows.map((row) => row.map(shortened)) : rows
      for (const text of alignedLines(columns, shown, style)) line(text)
    },
    progress: (what, work) => withProgress(stderr, what, work),
    note: (text) => void stderr.write(`${text}\n`),
  }
}

/** Colours on a terminal that wants them (NO_COLOR, FORCE_COLOR are honoured by Node), plain text elsewhere. */
export function styleFor(stream: Stream): Style {
  const paint =
    (format: Parameters<typeof styleText>[0]) =>
    (text: string): string =>
      styleText(format, text, { stream, validateStream: true })
  return { dim: paint('dim'), bold: paint('bold'), good: paint('green'), bad: paint('red'), warn: paint('yellow') }
}

const CELL_MAX = 60

function shortened(cell: string): string {
  return cell.length <= CELL_MAX ? cell : `${cell.slice(0, CELL_MAX - 1)}…`
}

/** Columns padded to their widest cell, two spaces apart, no trailing white space. */
export function alignedLines(columns: readonly Column[], rows: readonly (readonly string[])[], style: Style): string[] {
  const widths = columns.map((column, index) => Math.max(column.title.length, ...rows.map((row) => (row[index] ?? '').length)))
  const format = (cells: readonly string[]): string =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? ''
        const width = widths[index] ?? 0
        return column.align === 'right' ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [style.bold(format(columns.map(({ title }) => title))), ...rows.map(format)]
}
