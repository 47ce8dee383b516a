import type { Reply } from '../oauth/http.ts'
import type { Knobs } from './knobs.ts'

const NULLABLE: ReadonlySet<string> = new Set(['meta', 'tags', 'jobs', 'grantees', 'permissions'])
/** Sizes that the cloud sends as floats. */
const FLOATS = /"(size|mem|min_size|max_size)":(\d+)(?=[,}])/g

/** What a client takes of what we can send: JSON unless it names something else. `undefined`: nothing, 406. */
export function acceptedFormat(accept: string | undefined): 'json' | 'xml' | undefined {
  const types = (accept ?? '*/*').split(',').map((each) => each.split(';', 1)[0]?.trim().toLowerCase() ?? '')
  if (types.some((type) => ['*/*', 'application/*', 'application/json'].includes(type))) return 'json'
  return types.some((type) => type === 'application/xml' || type === 'text/xml') ? 'xml' : undefined
}

/** Gives an answer of API 2.0 the form that the knobs and the client ask for. */
export function formatted(reply: Reply, { knobs, format }: { knobs: Knobs; format: 'json' | 'xml' }): Reply {
  if (typeof reply.body !== 'object' || reply.body === null) return reply
  const body = knobs.nullFields || knobs.unknownFields ? distorted(reply.body, knobs) : reply.body
  if (format === 'xml') {
    const text = `<?xml version='1.0' encoding='utf-8'?>\n${toXml('response', body)}`
    return { ...reply, headers: { ...reply.headers, 'Content-Type': 'application/xml; charset=utf-8' }, body: text }
  }
  const text = JSON.stringify(body)
  return { ...reply, body: knobs.floatNumbers ? text.replace(FLOATS, '"$1":$2.0') : text }
}

function distorted(value: unknown, knobs: Knobs): unknown {
  if (Array.isArray(value)) return value.map((each) => distorted(each, knobs))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, each]) => [
    name,
    // The `meta` of a list is its page, not an object's meta.
    knobs.nullFields && NULLABLE.has(name) && 'uuid' in value ? null : distorted(each, knobs),
  ])
  const result = Object.fromEntries(entries) as Record<string, unknown>
  if (knobs.unknownFields && 'uuid' in value) result['sandbox_unknown_field'] = { nested: [1, null, 'x'] }
  return result
}

/** XML as Tastypie writes it: every element says its type. */
function toXml(name: string, value: unknown): string {
  if (value === null || value === undefined) return `<${name} type="null"/>`
  if (Array.isArray(value)) return `<${name} type="list">${value.map((each) => toXml('object', each)).join('')}</${name}>`
  switch (typeof value) {
    case 'object': {
      const inner = Object.entries(value).map(([key, each]) => toXml(/^[A-Za-z_][\w.-]*$/.test(key) ? key : 'value', each))
      return name === 'response' ? `<response>${inner.join('')}</response>` : `<${name} type="hash">${inner.join('')}</${name}>`
    }
    case 'number':
      return `<${name} type="${Number.isInteger(value) ? 'integer' : 'float'}">${value}</${name}>`
    case 'boolean':
      return `<${name} type="boolean">${value ? 'True' : 'False'}</${name}>`
    default:
      return `<${name}>${escaped(String(value as string))}</${name}>`
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
