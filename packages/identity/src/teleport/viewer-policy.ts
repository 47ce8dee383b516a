import { InputError } from '@ascribe/kit'
import { isUuid } from '@ascribe/units'

/** What operators with any of some Teleport roles may do. Rules of one operator add up. */
export type ViewerRule = {
  readonly roles: readonly string[]
  readonly organizations: 'all' | { readonly ids?: readonly string[]; readonly childrenOf?: readonly string[] }
  /** May look organizations up by name, id or key. Default true. */
  readonly search?: boolean
  /** May view without having begun an acting session, where the installation allows that. Default true. */
  readonly impliedActing?: boolean
}

/** What one operator may do, by all the rules that are his. */
export type OperatorPolicy = {
  readonly mayViewAll: boolean
  readonly organizations: ReadonlySet<string>
  /** And what stands below them, at any depth. */
  readonly childrenOf: ReadonlySet<string>
  readonly maySearch: boolean
  readonly mayActImplied: boolean
}

/** What `--viewer-role NAME` means: everything that an operator can be allowed. */
export function viewerRole(name: string): ViewerRule {
  return { roles: [name], organizations: 'all', search: true, impliedActing: true }
}

/** The policy of an operator with `roles`; `undefined` when no rule is his: then he has no business here. */
export function policyOf(rules: readonly ViewerRule[], roles: readonly string[]): OperatorPolicy | undefined {
  const his = rules.filter((rule) => rule.roles.some((role) => roles.includes(role)))
  if (his.length === 0) return undefined
  const named = his.flatMap(({ organizations }) => (organizations === 'all' ? [] : [organizations]))
  return {
    mayViewAll: his.some(({ organizations }) => organizations === 'all'),
    organizations: new Set(named.flatMap(({ ids = [] }) => ids)),
    childrenOf: new Set(named.flatMap(({ childrenOf = [] }) => childrenOf)),
    maySearch: his.some(({ search = true }) => search),
    mayActImplied: his.some(({ impliedActing = true }) => impliedActing),
  }
}

/** Whether an operator may view an organization. `ancestors`: those above it, to the top. */
export function mayView(policy: OperatorPolicy, organizationId: string, ancestors: readonly string[]): boolean {
  if (policy.mayViewAll || policy.organizations.has(organizationId)) return true
  return ancestors.some((ancestor) => policy.childrenOf.has(ancestor))
}

const RULE_KEYS = new Set(['roles', 'organizations', 'search', 'impliedActing'])
const ORGANIZATION_KEYS = new Set(['ids', 'childrenOf'])

/** Reads `viewers` of the configuration. @throws {InputError} that names the place */
export function parseViewerRules(value: unknown): readonly ViewerRule[] {
  if (!Array.isArray(value) || value.length === 0) throw wrong('viewers', 'is not a list of rules')
  return value.map((rule: unknown, index) => parseRule(rule, `viewers[${index}]`))
}

function parseRule(value: unknown, place: string): ViewerRule {
  const rule = objectAt(value, { place, keys: RULE_KEYS })
  const { roles, organizations, search, impliedActing } = rule
  if (!isTexts(roles) || roles.length === 0) throw wrong(`${place}.roles`, 'is not a list of Teleport roles')
  for (const [name, flag] of Object.entries({ search, impliedActing }))
    if (flag !== undefined && typeof flag !== 'boolean') throw wrong(`${place}.${name}`, 'is neither true nor false')
  return {
    roles,
    organizations: organizations === 'all' ? 'all' : parseOrganizations(organizations, `${place}.organizations`),
    ...(typeof search === 'boolean' && { search }),
    ...(typeof impliedActing === 'boolean' && { impliedActing }),
  }
}

function parseOrganizations(value: unknown, place: string): Exclude<ViewerRule['organizations'], 'all'> {
  const { ids, childrenOf } = objectAt(value, { place, keys: ORGANIZATION_KEYS })
  if (ids === undefined && childrenOf === undefined) throw wrong(place, 'names no organization')
  return {
    ...(ids !== undefined && { ids: uuidsAt(ids, `${place}.ids`) }),
    ...(childrenOf !== undefined && { childrenOf: uuidsAt(childrenOf, `${place}.childrenOf`) }),
  }
}

function uuidsAt(value: unknown, place: string): readonly string[] {
  const ids = isTexts(value) ? value.map((id) => id.toLowerCase()) : []
  if (ids.length === 0 || !ids.every(isUuid)) throw wrong(place, 'is not a list of organization ids')
  return ids
}

function objectAt(value: unknown, { place, keys }: { place: string; keys: ReadonlySet<string> }): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(place, 'is not what it should be')
  const unknown = Object.keys(value).find((key) => !keys.has(key))
  if (unknown !== undefined) throw wrong(`${place}.${unknown}`, 'is not known')
  return value as Readonly<Record<string, unknown>>
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')
}

function wrong(place: string, what: string): InputError {
  return new InputError(`Cannot use the viewer rules: ${place} ${what}`, {
    hint: 'A rule reads { roles: [billing-viewer], organizations: all } or { roles: […], organizations: { ids: […], childrenOf: […] }, search: false, impliedActing: false }.',
  })
}
