import { InputError } from '@ascribe/kit'
import type { Api } from '@ascribe/usage'
import { PATH_RULES } from './endpoint-rules.ts'
import type { BillableApi, PathRule } from './endpoint-rules.ts'

/** What stands at a path. Anything that is not listed is refused until somebody decides about it. */
export type Endpoint =
  | {
      readonly kind: 'forwarded'
      /** How it is metered; `free`: it is recorded, and costs nothing. */
      readonly api: Api
      readonly method: string
      /** As the client wrote it, without the query. */
      readonly path: string
      /** With its question mark; empty without. */
      readonly query: string
    }
  | { readonly kind: 'models' }
  | { readonly kind: 'model'; readonly id: string }
  | { readonly kind: 'wrong_method'; readonly allow: string }
  /** Somebody has decided that it is not served. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown' }

/** Finds what stands at the target of a request. */
export type EndpointTable = (method: string, target: string) => Endpoint

/** What an operator says about a path; stands over what is said here. */
export type OwnRule =
  | { readonly path: string; readonly rule: 'billable'; readonly api?: string | undefined; readonly method?: undefined }
  | { readonly path: string; readonly rule: 'free'; readonly api?: undefined; readonly method?: 'GET' | 'POST' | undefined }
  | { readonly path: string; readonly rule: 'refused'; readonly api?: undefined; readonly method?: undefined }

const MODEL = /^\/v1\/models\/(.+)$/
/** Of a rule, and of what is below one: nothing that an engine could read as another path. */
const PLAIN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/
const REFUSED = { code: 'path_refused', message: 'This path is not served here: the operator has refused it.' } as const

/** @throws {InputError} when a path is no plain one, is there twice, or would make something free that generates. */
export function createEndpointTable(own: readonly OwnRule[] = []): EndpointTable {
  const rules = new Map(PATH_RULES.map((rule) => [rule.path, rule]))
  const built = new Map(rules)
  const seen = new Set<string>()
  for (const rule of own) {
    if (seen.has(rule.path)) throw new InputError(`Cannot use gateway.paths: "${rule.path}" is there twice`)
    seen.add(rule.path)
    rules.set(rule.path, checked(rule, built.get(rule.path)))
  }
  const below = [...rules.values()].filter(({ path }) => path.endsWith('/*')).toSorted((a, b) => b.path.length - a.path.length)
  return (method, target) => {
    // The absolute form (RFC 9112 section 3.2.2) is taken down to this one: whose name is in it makes no difference here.
    const origin = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]+/i, '')
    const mark = origin.indexOf('?')
    const path = mark === -1 ? origin : origin.slice(0, mark)
    const rule =
      rules.get(path) ?? builtIn(method, path) ?? (PLAIN_PATH.test(path) ? below.find((each) => isBelow(path, each.path)) : undefined)
    if (rule === undefined) return { kind: 'unknown' }
    if ('kind' in rule) return rule
    if (rule.rule === 'refused') return { kind: 'refused', code: rule.code, message: rule.message }
    const allowed = rule.rule === 'free' ? (rule.method ?? 'POST') : 'POST'
    if (method !== allowed) return { kind: 'wrong_method', allow: allowed }
    const api = rule.rule === 'free' ? 'free' : rule.api
    return { kind: 'forwarded', api, method, path, query: mark === -1 ? '' : origin.slice(mark) }
  }
}

/** Path and query to ask an upstream for. `basePath` stands for `/v1`; what is not below that is an engine's own, beside it. */
export function upstreamTarget(basePath: string, { path, query }: { readonly path: string; readonly query: string }): string {
  return path.startsWith('/v1/') ? `${basePath}${path.slice(3)}${query}` : `${basePath.slice(0, -3)}${path}${query}`
}

function checked(rule: OwnRule, known: PathRule | undefined): PathRule {
  const { path } = rule
  if (!PLAIN_PATH.test(path.endsWith('/*') ? path.slice(0, -2) : path)) {
    throw new InputError(`Cannot use gateway.paths: "${path}" is no plain path`, {
      hint: 'Write it like /v1/score, or /v1/score/* for all below it.',
    })
  }
  if (path === '/v1/models' || path.startsWith('/v1/models/'))
    throw new InputError(`Cannot use gateway.paths: "${path}" is answered by the gateway itself`)
  if (rule.rule === 'refused') return { path, rule: 'refused', ...REFUSED }
  if (rule.rule === 'billable') {
    if (!isBillable(rule.api)) throw new InputError(`Cannot use gateway.paths: "${path}" is billable and does not say by which api`)
    return { path, rule: 'billable', api: rule.api }
  }
  if (known?.rule === 'billable') {
    throw new InputError(`Cannot use gateway.paths: "${path}" cannot be free: it generates, and is metered as ${known.api}`, {
      hint: 'Give its models a price of "0" in the price book.',
    })
  }
  return { path, rule: 'free', ...(rule.method !== undefined && { method: rule.method }) }
}

function isBillable(api: string | undefined): api is BillableApi {
  return PATH_RULES.some((rule) => rule.rule === 'billable' && rule.api === api)
}

/** The list of models is ours. */
function builtIn(method: string, path: string): Endpoint | undefined {
  const id = path === '/v1/models' ? undefined : MODEL.exec(path)?.[1]
  if (path !== '/v1/models' && id === undefined) return undefined
  if (method !== 'GET') return { kind: 'wrong_method', allow: 'GET' }
  return id === undefined ? { kind: 'models' } : { kind: 'model', id: decode(id) }
}

function isBelow(path: string, rule: string): boolean {
  return path.startsWith(rule.slice(0, -1))
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
