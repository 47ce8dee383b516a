import { styleText } from 'node:util'

const LEVEL_STYLES = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' } as const
type Style = Parameters<typeof styleText>[0]

/**
 * One JSON log line as one line for people: time of day (UTC), level, process, message, `name=value`; a bug's stack below it.
 * Control characters in values are escaped, so that no logged value can forge a line or steer the terminal.
 */
export function prettyLine(line: string, stream: NodeJS.WritableStream): string {
  const { time, level, process: name, message, ...fields } = JSON.parse(line) as Record<string, unknown>
  // The line is pino's own; still, a level that we did not name must not break it.
  const style = LEVEL_STYLES[String(level) as keyof typeof LEVEL_STYLES] ?? 'reset'
  const paint = (how: Style, text: string): string => styleText(how, text, { stream })
  const stacks: string[] = []
  const pairs = Object.entries(fields).map(([key, value]) => `${paint('gray', `${key}=`)}${showValue(value, stacks)}`)
  const head = [
    paint('gray', String(time).slice(11, 23)),
    paint(style, String(level).padEnd(5)),
    showText(String(name)),
    showText(String(message)),
  ]
  return `${[...head, ...pairs].join(' ')}\n${stacks.map((stack) => paint('gray', indent(stack))).join('')}`
}

function showValue(value: unknown, stacks: string[]): string {
  if (typeof value === 'string') return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value)
  if (isDescribedError(value)) {
    if (value.stack !== undefined) stacks.push(value.stack)
    const code = value.code ?? value.name
    return `${showText(code)} ${JSON.stringify(value.message)}`
  }
  return JSON.stringify(value)
}

function isDescribedError(value: unknown): value is { name: string; code?: string; message: string; stack?: string } {
  return typeof value === 'object' && value !== null && 'name' in value && 'message' in value && typeof value.message === 'string'
}

function showText(text: string): string {
  return /\p{Cc}/u.test(text) ? JSON.stringify(text) : text
}

function indent(stack: string): string {
  return stack
    .split('\n')
    .map((line) => `    ${line}\n`)
    .join('')
}
