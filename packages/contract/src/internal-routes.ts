import { z } from 'zod'
import type {
  ActingSessionJson,
  EndActing,
  EndedActing,
  FoundOrganizations,
  OrganizationSearch,
  RedirectQuery,
  StartActing,
} from './internal-types.ts'
import type { RouteDef } from './route.ts'
import { NoParamsSchema, NoQuerySchema } from './schemas.ts'
import type { NoParams, NoQuery } from './types.ts'

/** No operator looks for longer without saying why again (R26). */
const MINUTES_MAX = 60
const SEARCH_MAX = 50

const instant = z.iso.datetime()

const ActingSessionSchema: z.ZodType<ActingSessionJson> = z
  .strictObject({
    id: z.uuid(),
    organizationId: z.uuid(),
    operator: z.string(),
    reason: z.string(),
    ticket: z.string(),
    startedAt: instant,
    expiresAt: instant,
    delegation: z
      .strictObject({
        sub: z.string(),
        act: z.strictObject({ sub: z.string(), iss: z.string() }),
        scope: z.string(),
        reason: z.string(),
        ticket: z.string(),
        exp: z.int(),
      })
      .meta({ description: 'RFC 8693: `sub` is looked at, `act` looks. Never the one in the name of the other.' }),
  })
  .meta({ id: 'ActingSession' })

export const startActingSession: RouteDef<NoParams, NoQuery, StartActing, ActingSessionJson> = {
  operationId: 'startActingSession',
  summary: 'Begins to look as an organization, for a reason and for at most an hour. A form, so that a browser asks nobody before.',
  method: 'POST',
  path: '/v1/acting-sessions',
  listeners: ['internal'],
  subject: 'operator',
  needs: {},
  params: NoParamsSchema,
  query: NoQuerySchema,
  body: z.strictObject({
    organization: z.uuid(),
    reason: z.string().trim().min(1).max(1000).meta({ description: 'In words; the customer reads it.' }),
    ticket: z.string().trim().min(1).max(200),
    minutes: z.coerce.number().int().min(1).max(MINUTES_MAX).default(MINUTES_MAX),
  }),
  bodyType: 'form',
  reply: ActingSessionSchema,
  status: 201,
}

export const endActingSession: RouteDef<NoParams, NoQuery, EndActing, EndedActing> = {
  operationId: 'endActingSession',
  summary: 'Stops looking as an organization, at once. Without a session it ends nothing and says so.',
  method: 'POST',
  path: '/v1/acting-sessions/end',
  listeners: ['internal'],
  subject: 'operator',
  needs: {},
  params: NoParamsSchema,
  query: NoQuerySchema,
  body: z.strictObject({ organization: z.uuid() }),
  bodyType: 'form',
  reply: z.strictObject({ ended: z.boolean() }).meta({ id: 'EndedActingSession' }),
}

export const getActingSession: RouteDef<NoParams, NoQuery, undefined, ActingSessionJson> = {
  operationId: 'getActingSession',
  summary: 'The session by which the operator looks at the organization: what a banner shows.',
  method: 'GET',
  path: '/v1/acting-session',
  listeners: ['internal'],
  subject: 'organization',
  needs: {},
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: ActingSessionSchema,
}

export const searchOrganizations: RouteDef<NoParams, OrganizationSearch, undefined, FoundOrganizations> = {
  operationId: 'searchOrganizations',
  summary: 'Organizations by name, id or the id of an API key: names and ids, nothing else.',
  method: 'GET',
  path: '/v1/operator/organizations',
  listeners: ['internal'],
  subject: 'operator',
  needs: {},
  params: NoParamsSchema,
  query: z.strictObject({ q: z.string().min(1).max(200), limit: z.coerce.number().int().min(1).max(SEARCH_MAX).default(20) }),
  reply: z
    .strictObject({
      data: z.array(z.strictObject({ id: z.uuid(), name: z.string() })),
      more: z.boolean().meta({ description: 'Whether there are more than these: ask more precisely.' }),
    })
    .meta({ id: 'FoundOrganizations' }),
}

export const redirect: RouteDef<NoParams, RedirectQuery, undefined, undefined> = {
  operationId: 'redirect',
  summary: "Sends a browser on to an allow-listed console, after Teleport's login to this app.",
  method: 'GET',
  path: '/redirect',
  listeners: ['internal'],
  subject: 'operator',
  needs: {},
  params: NoParamsSchema,
  // More than one, none, or anything that is no such console is refused by the handler, in one place.
  query: z.looseObject({ to: z.union([z.string(), z.array(z.string())]).optional() }),
  status: 302,
}

/** What only operators have. */
export const INTERNAL_ROUTES: readonly RouteDef[] = [startActingSession, endActingSession, getActingSession, searchOrganizations, redirect]
