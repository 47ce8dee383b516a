import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoQuery, OrganizationParams } from '../types.ts'
import { instant } from './shapes.ts'
import type {
  ApproveRequest,
  EmptyBody,
  OpenWindow,
  PageQuery,
  RequestParams,
  SetSupportAccess,
  SupportAccess,
  SupportRequestJson,
  SupportRequestPage,
} from './support-types.ts'

const SupportAccessSchema: z.ZodType<SupportAccess> = z
  .strictObject({
    requireApproval: z.boolean().meta({ description: "Whether the provider's people need the customer's word before they look." }),
    window: z
      .strictObject({ id: z.uuid(), until: instant, openedBy: z.string() })
      .optional()
      .meta({ description: 'Until then any operator may look without asking.' }),
    changedAt: instant.optional(),
    changedBy: z.string().optional(),
  })
  .meta({ id: 'SupportAccess' })

const SupportRequestSchema: z.ZodType<SupportRequestJson> = z
  .strictObject({
    id: z.uuid(),
    operator: z.string(),
    reason: z.string(),
    ticket: z.string(),
    minutes: z.int(),
    requestedAt: instant,
    state: z.enum(['pending', 'approved', 'refused', 'revoked', 'lapsed']),
    until: instant.optional(),
    decidedAt: instant.optional(),
    decidedBy: z.string().optional(),
  })
  .meta({ id: 'SupportRequest' })

const PageQuerySchema: z.ZodType<PageQuery, unknown> = z.strictObject({
  cursor: z.string().max(500).optional().meta({ description: '`nextCursor` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

const RequestParamsSchema: z.ZodType<RequestParams, unknown> = z.strictObject({ id: z.string(), requestId: z.string() })

const READ = {
  method: 'GET',
  listeners: ['public'],
  subject: 'organization',
  needs: { role: 'viewer' },
} as const
const WRITE = {
  listeners: ['public'],
  subject: 'organization',
  needs: { role: 'admin' },
  query: NoQuerySchema,
} as const
const PATH = '/v1/organizations/{id}/support-access'

export const getSupportAccess: RouteDef<OrganizationParams, NoQuery, undefined, SupportAccess> = {
  ...READ,
  operationId: 'getSupportAccess',
  summary: "Whether the provider's people may look at the organization, and whether they have to ask.",
  path: PATH,
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: SupportAccessSchema,
}

export const setSupportAccess: RouteDef<OrganizationParams, NoQuery, SetSupportAccess, SupportAccess> = {
  ...WRITE,
  operationId: 'setSupportAccess',
  summary: "Says whether the provider's people have to ask first. When they have to, sessions that nobody approved end at once.",
  method: 'PUT',
  path: PATH,
  params: OrganizationParamsSchema,
  body: z.strictObject({ requireApproval: z.boolean() }),
  reply: SupportAccessSchema,
}

export const openSupportWindow: RouteDef<OrganizationParams, NoQuery, OpenWindow, SupportAccess> = {
  ...WRITE,
  operationId: 'openSupportWindow',
  summary: 'Lets operators look without asking, until an instant.',
  method: 'PUT',
  path: `${PATH}/window`,
  params: OrganizationParamsSchema,
  body: z.strictObject({ until: instant }),
  reply: SupportAccessSchema,
}

export const closeSupportWindow: RouteDef<OrganizationParams, NoQuery, undefined, SupportAccess> = {
  ...WRITE,
  operationId: 'closeSupportWindow',
  summary: 'Closes the window, and ends at once what lasts because of it.',
  method: 'DELETE',
  path: `${PATH}/window`,
  params: OrganizationParamsSchema,
  reply: SupportAccessSchema,
}

export const listSupportRequests: RouteDef<OrganizationParams, PageQuery, undefined, SupportRequestPage> = {
  ...READ,
  operationId: 'listSupportRequests',
  summary: 'Who asked to look, why, and what became of it; the newest first.',
  path: `${PATH}/requests`,
  params: OrganizationParamsSchema,
  query: PageQuerySchema,
  reply: z.strictObject({ data: z.array(SupportRequestSchema), nextCursor: z.string().optional() }).meta({ id: 'SupportRequestPage' }),
}

const decision = { ...WRITE, method: 'POST', params: RequestParamsSchema, reply: SupportRequestSchema } as const
const NothingSchema: z.ZodType<EmptyBody | undefined, unknown> = z.strictObject({}).optional()

export const approveSupportRequest: RouteDef<RequestParams, NoQuery, ApproveRequest | undefined, SupportRequestJson> = {
  ...decision,
  operationId: 'approveSupportRequest',
  summary: 'Lets the operator look until an instant; a day, if none is given.',
  path: `${PATH}/requests/{requestId}/approve`,
  body: z.strictObject({ until: instant.optional() }).optional(),
}

export const refuseSupportRequest: RouteDef<RequestParams, NoQuery, EmptyBody | undefined, SupportRequestJson> = {
  ...decision,
  operationId: 'refuseSupportRequest',
  summary: 'Does not let the operator look.',
  path: `${PATH}/requests/{requestId}/refuse`,
  body: NothingSchema,
}

export const revokeSupportRequest: RouteDef<RequestParams, NoQuery, EmptyBody | undefined, SupportRequestJson> = {
  ...decision,
  operationId: 'revokeSupportRequest',
  summary: 'Takes an approval back: what lasts because of it ends at once.',
  path: `${PATH}/requests/{requestId}/revoke`,
  body: NothingSchema,
}

export const SUPPORT_ROUTES: readonly RouteDef[] = [
  getSupportAccess,
  setSupportAccess,
  openSupportWindow,
  closeSupportWindow,
  listSupportRequests,
  approveSupportRequest,
  refuseSupportRequest,
  revokeSupportRequest,
]
