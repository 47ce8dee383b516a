import type { CostDimension } from '@ascribe/contract/reads'
import { DIMENSIONS } from './state.ts'
import type { Filters, Step } from './state.ts'

/*
 * The address of the drawer: `model:llama/key:prod-1/record:…`. Keys are percent-encoded, for a model's name may hold every character.
 */

const WORDS: Readonly<Record<Step['at'], string>> = {
  model: 'model',
  apiKey: 'key',
  user: 'user',
  group: 'group',
  resource: 'resource',
  region: 'region',
  meter: 'meter',
  category: 'category',
  price: 'price',
  organization: 'organization',
  records: 'records',
  record: 'record',
}
const BY_WORD: ReadonlyMap<string, Step['at']> = new Map(([...DIMENSIONS, 'records', 'record'] as const).map((at) => [WORDS[at], at]))

/** More steps than there are dimensions, and the two of records, are no address. */
const STEPS_MAX = 12

export function printSteps(steps: readonly Step[]): string {
  return steps.map(({ at, key }) => `${WORDS[at]}:${encodeURIComponent(key)}`).join('/')
}

/** The steps of an address; `undefined` for what is none: an unknown word, one named twice, anything after a record. */
export function parseSteps(text: string): readonly Step[] | undefined {
  if (text === '') return []
  const steps: Step[] = []
  const parts = text.split('/')
  if (parts.length > STEPS_MAX) return undefined
  for (const part of parts) {
    const colon = part.indexOf(':')
    const at = BY_WORD.get(part.slice(0, Math.max(0, colon)))
    const key = decoded(part.slice(colon + 1))
    if (at === undefined || key === undefined || steps.some((step) => step.at === at || step.at === 'record')) return undefined
    if (at === 'record' && key === '') return undefined
    steps.push({ at, key })
  }
  return steps
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The way down: first what the page is grouped by, then model, then API key; what is named already is left out. */
export function nextDimension(by: CostDimension, steps: readonly Step[]): CostDimension | undefined {
  const way: readonly CostDimension[] = [by, 'model', 'apiKey']
  return way.find((dimension) => !steps.some(({ at }) => at === dimension))
}

/** The filters of the page and of the way that was gone: a step narrows to its key alone. */
export function filtersOfSteps(filters: Filters, steps: readonly Step[]): Filters {
  const named = steps.filter(({ at }) => at !== 'record' && at !== 'records') as readonly {
    readonly at: CostDimension
    readonly key: string
  }[]
  return { ...filters, ...Object.fromEntries(named.map(({ at, key }) => [at, [key]])) }
}

/** What the drawer shows at the end of a way. */
export type DrillLevel =
  | { readonly kind: 'groups'; readonly by: CostDimension }
  | { readonly kind: 'records' }
  | { readonly kind: 'record'; readonly id: string }

export function levelOf(by: CostDimension, steps: readonly Step[]): DrillLevel {
  const last = steps.at(-1)
  if (last?.at === 'record') return { kind: 'record', id: last.key }
  if (last?.at === 'records') return { kind: 'records' }
  const next = nextDimension(by, steps)
  return next === undefined ? { kind: 'records' } : { kind: 'groups', by: next }
}
