import { AscribeError, errorChain, errorCode } from '@ascribe/kit'

const MASK = '***'
const DEPTH_MAX = 5
const ITEMS_MAX = 100
const TEXT_LENGTH_MAX = 8192
// The last word of a field's name decides: `apiKey`, `x-api-key` and `set-cookie` are masked; `keyId` and `promptTokens` are not.
const SECRET_WORDS = new Set(['authorization', 'cookie', 'cookies', 'key', 'token', 'secret', 'password', 'passphrase', 'credential'])
const SECRET_VALUES: readonly (readonly [RegExp, string])[] = [
  // An Ascribe key: its public id may be seen, the rest may not.
  [/\bask_([0-9A-Za-z]+)_[0-9A-Za-z_-]+/g, `ask_$1_${MASK}`],
  [/\bsk-[0-9A-Za-z_-]{4,}/g, `sk-${MASK}`],
  [/\b(bearer|basic)\s+[0-9A-Za-z._~+/=-]+/gi, `$1 ${MASK}`],
  // The password of a URL: `postgres://user:password@host`.
  [/(\w:\/\/[^\s:/@]*):[^\s/@]+@/g, `$1:${MASK}@`],
]

/** `text` without whatever in it looks like a key, a bearer token or a URL's password. */
export function maskText(text: string): string {
  let masked = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}… (${text.length} characters)` : text
  for (const [pattern, replacement] of SECRET_VALUES) masked = masked.replace(pattern, replacement)
  return masked
}

/**
 * The fields of a log line as plain JSON values: secrets masked by name and by look, errors as name, code and message
 * chain, everything bounded. The second line of defence: callers do not log secrets in the first place.
 */
export function cleanFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return cleanObject(fields, DEPTH_MAX)
}

function cleanObject(fields: object, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {}
  let left = ITEMS_MAX
  for (const [name, value] of Object.entries(fields)) {
    if (left === 0) {
      clean['…'] = `more than ${ITEMS_MAX} fields`
      break
    }
    left -= 1
    clean[name] = isSecretName(name) && isMaskable(value) ? MASK : cleanValue(value, depth)
  }
  return clean
}

function cleanValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return maskText(value)
    case 'bigint':
    case 'symbol':
      return String(value)
    case 'function':
      return '[function]'
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'object':
      return value === null ? null : cleanThing(value, depth)
    case 'boolean':
    case 'undefined':
      return value
  }
}

function cleanThing(value: object, depth: number): unknown {
  if (value instanceof Error) return describeError(value)
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`
  if (depth === 0) return '…'
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => cleanValue(item, depth - 1))
  if (value instanceof Map) return cleanObject(Object.fromEntries(value), depth - 1)
  if (value instanceof Set) return cleanValue([...value], depth)
  if ('toJSON' in value && typeof value.toJSON === 'function') return cleanValue(value.toJSON(), depth - 1)
  return cleanObject(value, depth - 1)
}

/** Name, code and message chain of an error; a bug (neither ours nor with a code) also says where it happened. */
function describeError(error: Error): Record<string, unknown> {
  const code = errorCode(error)
  const isBug = !(error instanceof AscribeError) && code === undefined
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: maskText(errorChain(error)),
    ...(isBug && error.stack !== undefined ? { stack: maskText(framesOf(error.stack)) } : {}),
  }
}

function framesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .join('\n')
}

function isMaskable(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && typeof value !== 'boolean'
}

const isSecretByName = new Map<string, boolean>()
const NAMES_MAX = 1000

function isSecretName(name: string): boolean {
  const known = isSecretByName.get(name)
  if (known !== undefined) return known
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').split(/[^A-Za-z0-9]+/)
  const isSecret = SECRET_WORDS.has((words.findLast((word) => word !== '') ?? '').toLowerCase())
  if (isSecretByName.size >= NAMES_MAX) isSecretByName.clear()
  isSecretByName.set(name, isSecret)
  return isSecret
}
