import { z } from 'zod'
import { parseUpstreamUrl } from '@ascribe/gateway/routes'
import type { Route } from '@ascribe/gateway/routes'
import { PLACE_ID_LENGTH_MAX, isTemplate, parseTemplate } from '@ascribe/gateway/routing'
import type { Balance, HealthRule, Place, RetryRule } from '@ascribe/gateway/routing'
import { InputError } from '@ascribe/kit'
import { durationMs } from '@ascribe/service'
import type { Secret } from '@ascribe/service'
import { credentialOf, credentialShape, hasIdleField, namedCredentialShape, ownOrRoutes } from './credential-settings.ts'
import type { CredentialSettings } from './credential-settings.ts'

/** One of several upstreams of a route. */
export type UpstreamSettings = CredentialSettings & {
  /** Written into records where a request went to more than one; default: host and port. */
  readonly id?: string | undefined
  readonly url: string
  readonly weight: number
  readonly ca_file?: string | undefined
}

/** How it is found out whether upstreams are up. */
export type HealthSettings = {
  /** Asked for at each of them; absent: only requests tell. */
  readonly path?: string | undefined
  /** Milliseconds, like the next two. */
  readonly interval: number
  readonly timeout: number
  readonly rest: number
  readonly fail_after: number
  readonly pass_after: number
  readonly all_down: Balance['allDown']
}

/** When a request goes to another upstream. */
export type RetrySettings = {
  /** The first one included. */
  readonly attempts: number
  /** Beside what no upstream can have begun. */
  readonly on: readonly ('reset' | 'head_timeout' | 'protocol' | number)[]
  readonly bill_failed_attempts: boolean
}

/** What a route says of where it goes. */
export type DestinationSettings = CredentialSettings & {
  readonly id: string
  readonly upstream?: string | undefined
  readonly upstreams?: readonly UpstreamSettings[] | undefined
  readonly health?: HealthSettings | undefined
  readonly retry?: RetrySettings | undefined
  readonly retired: boolean
}

const name = z.string().min(1)
const UPSTREAMS_MAX = 64
/** Less would be load, not a question. */
const INTERVAL_MS_MIN = 1000
const WEIGHT_MAX = 1000
/** Of whom one request may ask: as many as a record lists. */
const ATTEMPTS_MAX = 4

/** What may stand in the ledger too, which keeps no secret and knows no file of a gateway. */
const upstreamShape = {
  id: name.max(PLACE_ID_LENGTH_MAX).optional(),
  url: name,
  weight: z.int().min(1).max(WEIGHT_MAX).default(1),
  ...namedCredentialShape,
}

const HealthSchema = z.strictObject({
  path: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, 'must be a path such as /health')
    .optional(),
  interval: durationMs()
    .refine((ms) => ms >= INTERVAL_MS_MIN, 'must be at least 1s')
    .default(10_000),
  timeout: durationMs().default(2000),
  rest: durationMs().default(10_000),
  fail_after: z.int().min(1).max(100).default(3),
  pass_after: z.int().min(1).max(100).default(2),
  all_down: z.enum(['try', 'refuse']).default('try'),
})

const RetrySchema = z.strictObject({
  attempts: z.int().min(1).max(ATTEMPTS_MAX).default(2),
  on: z.array(z.union([z.enum(['reset', 'head_timeout', 'protocol']), z.int().min(400).max(599)])).default([]),
  bill_failed_attempts: z.boolean().default(false),
})

const shared = {
  upstream: name.optional(),
  ...namedCredentialShape,
  health: HealthSchema.optional(),
  retry: RetrySchema.optional(),
  retired: z.boolean().default(false),
}

type Shape<Keys extends keyof DestinationSettings> = { readonly [Name in Keys]-?: z.ZodType<DestinationSettings[Name], unknown> }
type Shared = Exclude<keyof DestinationSettings, 'id' | 'credential'>

/** Of a deployment in the ledger. */
export const deploymentDestination: Shape<Shared> = {
  ...shared,
  upstreams: z.array(z.strictObject(upstreamShape)).min(1).max(UPSTREAMS_MAX).optional(),
}

/** Of a route in the configuration. */
export const routeDestination: Shape<Shared | 'credential'> = {
  ...shared,
  ...credentialShape,
  upstreams: z
    .array(z.strictObject({ ...upstreamShape, ...credentialShape, ca_file: name.optional() }))
    .min(1)
    .max(UPSTREAMS_MAX)
    .optional(),
}

export type DestinationDeps = {
  /** The credentials that routes name. */
  readonly credentials: Readonly<Record<string, Secret>>
  /** An upstream's terms, which all upstreams of a route share; `ca_file` where it has one of its own. */
  readonly upstreamAt: (origin: string, caFile?: string) => Route['upstream']
}

/** Where the requests of a route go. @throws {InputError} */
export function destinationOf(
  fields: DestinationSettings,
  deps: DestinationDeps,
): Pick<Route, 'upstream' | 'basePath' | 'credential' | 'balance' | 'template' | 'isRetired'> {
  const { id, upstream, upstreams, health, retry, retired } = fields
  const refuse = (why: string, hint: string): never => {
    throw new InputError(`Cannot use route "${id}": ${why}`, { hint })
  }
  if (retired) return { upstream: deps.upstreamAt('http://retired.invalid'), basePath: '/v1', isRetired: true }
  if ((upstream === undefined) === (upstreams === undefined))
    return refuse(
      upstream === undefined ? 'it has no upstream' : 'it has upstream and upstreams',
      'Give one of `upstream` and `upstreams`.',
    )
  if (hasIdleField(fields, upstreams))
    return refuse('it says how a credential travels, and has none', 'Give `credential` or `credential_name`, or leave that out.')
  const credential = credentialOf(fields, { id, credentials: deps.credentials })
  if (upstream !== undefined && isTemplate(upstream)) {
    if (health !== undefined || retry !== undefined)
      return refuse(
        'an upstream with {resource} or {model} has no health or retry',
        'Leave out `health` and `retry`, or name the upstreams.',
      )
    return { upstream: deps.upstreamAt('http://template.invalid'), basePath: '/v1', template: parseTemplate(upstream), ...credential }
  }
  const places = upstreams?.map((each) => placeOf(each, { ...fields, ...deps }))
  if (places === undefined) {
    const { origin, basePath } = parseUpstreamUrl(upstream ?? '')
    const only = { upstream: deps.upstreamAt(origin), basePath, ...credential }
    if (health === undefined) return only
    return {
      ...only,
      balance: balanceOf([{ id: new URL(origin).host.slice(0, PLACE_ID_LENGTH_MAX), weight: 1, ...only }], health, undefined),
    }
  }
  const twice = places.find((place, at) => places.findIndex((other) => other.id === place.id) !== at)
  if (twice !== undefined) return refuse(`two of its upstreams are called "${twice.id}"`, 'Give each upstream an `id` of its own.')
  const [first] = places
  if (first === undefined) return refuse('it has no upstream', 'Give at least one of `upstreams`.')
  const { id: _id, weight: _weight, ...top } = first
  return { ...top, balance: balanceOf(places, health, retry) }
}

function placeOf(fields: UpstreamSettings, route: DestinationSettings & DestinationDeps): Place {
  if (isTemplate(fields.url)) {
    throw new InputError(`Cannot use route "${route.id}": one of several upstreams has {resource} or {model} in it`, {
      hint: 'A convention is an `upstream` of its own.',
    })
  }
  const { origin, basePath } = parseUpstreamUrl(fields.url)
  return {
    id: fields.id ?? new URL(origin).host.slice(0, PLACE_ID_LENGTH_MAX),
    upstream: route.upstreamAt(origin, fields.ca_file),
    basePath,
    weight: fields.weight,
    ...credentialOf(ownOrRoutes(fields, route), route),
  }
}

const NO_HEALTH: HealthSettings = HealthSchema.parse({})
const NO_RETRY: RetrySettings = RetrySchema.parse({})

function balanceOf(places: readonly Place[], health: HealthSettings = NO_HEALTH, retry: RetrySettings = NO_RETRY): Balance {
  const { path, interval: intervalMs, timeout: timeoutMs, rest: restMs, fail_after: failAfter, pass_after: passAfter } = health
  const rule: HealthRule = { failAfter, restMs, ...(path !== undefined && { check: { path, intervalMs, timeoutMs, passAfter } }) }
  const retries: RetryRule = { attemptsMax: retry.attempts, on: new Set(retry.on), billFailed: retry.bill_failed_attempts }
  return { places, health: rule, allDown: health.all_down, retry: retries }
}
