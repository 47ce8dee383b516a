import { at, isObject, textAt } from './json.ts'
import type { JsonObject } from './json.ts'
import { badRequest } from './refusal.ts'

export type Selects = (object: JsonObject) => boolean

/** Label and field selectors of a list or watch, with the namespace of its path. */
export function selectorOf(wish: { namespace?: string | undefined; labels?: string | undefined; fields?: string | undefined }): Selects {
  const labels = requirements(wish.labels ?? '').map(labelTest)
  const fields = (wish.fields ?? '').split(',').filter(Boolean).map(fieldTest)
  return (object) => {
    if (wish.namespace !== undefined && textAt(object, 'metadata', 'namespace') !== wish.namespace) return false
    const own = at(object, ['metadata', 'labels'])
    return labels.every((test) => test(isObject(own) ? own : {})) && fields.every((test) => test(object))
  }
}

/** Splits at commas outside of parentheses. */
function requirements(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((each) => each.trim())
    .filter(Boolean)
}

function labelTest(text: string): Selects {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text)
  if (set !== null) {
    const [, name = '', how, list = ''] = set
    const values = list.split(',').map((each) => each.trim())
    return (labels) => values.some((value) => value === labels[name]) === (how === 'in')
  }
  const pair = /^([^!=\s]+)\s*(!=|==?)\s*(\S*)$/.exec(text)
  if (pair !== null) {
    const [, name = '', how, value] = pair
    return (labels) => (labels[name] === value) === (how !== '!=')
  }
  if (/^![^!=\s]+$/.test(text)) return (labels) => labels[text.slice(1)] === undefined
  if (/^[^!=\s]+$/.test(text)) return (labels) => labels[text] !== undefined
  throw badRequest(`unable to parse requirement: ${text}`)
}

function fieldTest(text: string): Selects {
  const [, path = '', how, value] = /^([^!=]+)(!=|==?)(.*)$/.exec(text) ?? []
  if (path !== 'metadata.name' && path !== 'metadata.namespace') throw badRequest(`field label not supported: ${path}`)
  return (object) => ((textAt(object, ...path.split('.')) ?? '') === value) === (how !== '!=')
}
