import { z } from 'zod'
import type {
  ApiKeysPage,
  GroupsPage,
  ListQuery,
  MembersPage,
  ModelsReply,
  OrganizationJson,
  ResourcesPage,
  ResourcesQuery,
} from './directory-types.ts'
import { count, currency, cursor, day, decimalText, instant, limit, nextCursor, quantityText } from './parts.ts'

export const ListQuerySchema: z.ZodType<ListQuery, unknown> = z.strictObject({ limit: limit({ max: 500, otherwise: 100 }), cursor })
export const ResourcesQuerySchema: z.ZodType<ResourcesQuery, unknown> = z.strictObject({
  from: day.optional().meta({ description: 'First day of the window. Default: of this month.' }),
  to: day.optional().meta({ description: 'Its last day. Default: today.' }),
  kind: z.enum(['vm']).optional().meta({ description: 'Only virtual machines.' }),
  limit: limit({ max: 500, otherwise: 100 }),
  cursor,
})

export const OrganizationJsonSchema: z.ZodType<OrganizationJson> = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    currency,
    plan: z.enum(['capacity', 'evaluation', 'on-demand']),
    blocked: z.boolean(),
    trialExpiresAt: instant.optional(),
    parentId: z.uuid().optional(),
    children: z.array(z.strictObject({ id: z.uuid(), name: z.string(), currency })),
  })
  .meta({ id: 'Organization' })

export const ApiKeysPageSchema: z.ZodType<ApiKeysPage> = z
  .strictObject({
    currency,
    data: z.array(
      z
        .strictObject({
          id: z.string(),
          publicId: z.string().meta({ description: 'How the key begins. Secrets are never shown again.' }),
          name: z.string().optional(),
          scopes: z.array(z.string()),
          user: z.string().optional(),
          group: z.string().optional(),
          state: z.enum(['active', 'expired', 'revoked']),
          createdAt: instant,
          expiresAt: instant.optional(),
          revokedAt: instant.optional(),
          lastUsedAt: instant.optional(),
          spentThisMonth: decimalText,
        })
        .meta({ id: 'ApiKeySummary' }),
    ),
    nextCursor,
  })
  .meta({ id: 'ApiKeySummaries' })

export const MembersPageSchema: z.ZodType<MembersPage> = z
  .strictObject({
    data: z.array(
      z.strictObject({ id: z.string(), name: z.string().optional(), email: z.string().optional(), groups: z.array(z.string()) }),
    ),
    nextCursor,
  })
  .meta({ id: 'Members' })

export const GroupsPageSchema: z.ZodType<GroupsPage> = z
  .strictObject({ data: z.array(z.strictObject({ id: z.string(), name: z.string().optional(), members: count })), nextCursor })
  .meta({ id: 'Groups' })

export const ResourcesPageSchema: z.ZodType<ResourcesPage> = z
  .strictObject({
    start: instant,
    end: instant,
    currency,
    data: z.array(
      z.strictObject({
        id: z.string(),
        kind: z.enum(['vm', 'other']),
        type: z.string().optional(),
        name: z.string().optional(),
        region: z.string(),
        owners: z.array(z.string()).meta({ description: 'In whose account a virtual machine lives.' }),
        firstUsedOn: z.iso.date().optional(),
        lastUsedOn: z.iso.date().optional(),
        hours: count.optional().meta({ description: 'Hours of the window in which a virtual machine used anything.' }),
        meters: z.record(z.string(), quantityText),
        amount: decimalText,
      }),
    ),
    nextCursor,
  })
  .meta({ id: 'Resources' })

export const ModelsReplySchema: z.ZodType<ModelsReply> = z
  .strictObject({ data: z.array(z.strictObject({ id: z.string() })) })
  .meta({ id: 'Models' })
