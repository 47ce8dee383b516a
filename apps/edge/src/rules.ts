import { InputError } from '@ascribe/kit'
import { isHeaderText } from './header-text.ts'

/** What stands at a host, or under a path of it. */
export type ResourceRule = {
  /** `llm.example.com`, or `*.example.com` for one name more. Absent: any host. */
  readonly host?: string
  /** Whole segments that the path begins with, `/models/llama`. Absent: any path. */
  readonly path?: string
  /** Absent: many models are served here, and the edge names no resource. */
  readonly resourceId?: string
  readonly resourceType?: string
}

/** Where a client went, as far as rules ask for it. */
export type Place = {
  /** With or without a port; `undefined`: nobody said one, or several were said. */
  readonly host: string | undefined
  /** Target of the request line, as it came. */
  readonly target: string | undefined
}

/** `unclear`: of the place is known too little, or it could be read in two ways. `none`: no rule is for it. */
export type RuleOutcome = { readonly kind: 'rule'; readonly rule: ResourceRule } | { readonly kind: 'none' } | { readonly kind: 'unclear' }

export type RuleTable = {
  /** The first rule that fits. */
  find(place: Place): RuleOutcome
  /** There is no rule: every place is taken, and none names a resource. */
  readonly isEmpty: boolean
}

const HOST = /^(?:\*\.)?(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/

/** @throws {InputError} when a rule can never fit, or says nothing. */
export function createRuleTable(rules: readonly ResourceRule[]): RuleTable {
  const prepared = rules.map(prepare)
  return {
    isEmpty: prepared.length === 0,
    find({ host: sent, target }) {
      const host = sent === undefined ? undefined : hostNameOf(sent)
      for (const rule of prepared) {
        if (rule.host !== undefined) {
          if (host === undefined) return { kind: 'unclear' }
          if (!fitsHost(rule.host, host)) continue
        }
        if (rule.path === undefined) return { kind: 'rule', rule }
        const path = target === undefined ? undefined : plainPathOf(target)
        if (path === undefined) return { kind: 'unclear' }
        if (path === rule.path || path.startsWith(`${rule.path}/`)) return { kind: 'rule', rule }
      }
      return { kind: 'none' }
    },
  }
}

function prepare(rule: ResourceRule, index: number): ResourceRule {
  const wrong = (why: string): InputError =>
    new InputError(`Cannot use rule ${index + 1} of the edge: ${why}`, {
      hint: 'A rule is a host, a path or both, and the resource that is there: { host: llama.example.com, resource_id: llama }.',
    })
  const host = rule.host?.toLowerCase().replace(/\.$/, '')
  const path = rule.path?.replace(/\/$/, '')
  if (host === undefined && (path === undefined || path === '')) throw wrong('it names neither host nor path')
  if (host !== undefined && !HOST.test(host)) throw wrong(`"${rule.host}" is no host name`)
  if (path !== undefined && path !== '' && plainPathOf(path) !== path) throw wrong(`"${rule.path}" is no plain path that begins with /`)
  if (rule.resourceType !== undefined && rule.resourceId === undefined) throw wrong('a resource type without a resource id')
  const { resourceId, resourceType } = rule
  if ((resourceId !== undefined && !isHeaderText(resourceId)) || (resourceType !== undefined && !isHeaderText(resourceType)))
    throw wrong('its resource is empty, begins or ends with white space, or holds a control character')
  return {
    ...(host !== undefined && { host }),
    ...(path !== undefined && path !== '' && { path }),
    ...(resourceId !== undefined && { resourceId }),
    ...(resourceType !== undefined && { resourceType }),
  }
}

/** In small letters, without port and final dot; `undefined` for what is no host name, as two of them with a comma. */
function hostNameOf(sent: string): string | undefined {
  const [, name = ''] = /^([^:\s,]+)(?::\d{1,5})?$/.exec(sent.trim().toLowerCase()) ?? []
  const host = name.replace(/\.$/, '')
  return HOST.test(host) ? host : undefined
}

function fitsHost(wanted: string, host: string): boolean {
  if (!wanted.startsWith('*.')) return wanted === host
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === wanted.slice(1)
}

/** What a server behind us may take for something else than it looks like: the rule of one path, the content of another. */
const AMBIGUOUS = /\/\/|\/\.{1,2}(?:\/|$)|\\|%(?![89a-f][0-9a-f])|[\p{Cc} ]/iu

/** The path, if it can be read in one way only: no dot segments, empty segments or backslashes, and no ASCII that is escaped. */
function plainPathOf(target: string): string | undefined {
  const [path = ''] = target.split(/[?#]/, 1)
  return path.startsWith('/') && !AMBIGUOUS.test(path) ? path : undefined
}
