import { z } from 'zod'
import type { RouteDef } from './route.ts'
import { OrganizationParamsSchema } from './schemas.ts'
import type { OrganizationParams } from './types.ts'
import { PageQuerySchema } from './writes/support-routes.ts'
import type { PageQuery } from './writes/support-types.ts'

/** One thing that somebody did with an organization: who, when, why, and what was opened. */
export type AccessLogLine = {
  readonly sequence: number
  readonly at: string
  readonly kind: string
  readonly actor: {
    readonly kind: string
    /** Absent: erased. */
    readonly id?: string | undefined
    readonly issuer?: string | undefined
    readonly name?: string | undefined
    readonly email?: string | undefined
    readonly roles: readonly string[]
    readonly via: string
  }
  readonly act?:
    | {
        readonly sessionId: string
        readonly reason?: string | undefined
        readonly ticket?: string | undefined
        readonly expiresAt?: string | undefined
      }
    | undefined
  readonly method?: string | undefined
  readonly path?: string | undefined
  readonly query?: string | undefined
  readonly status?: number | undefined
  readonly requestId?: string | undefined
  readonly aboutOrganizationId?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  readonly personal?: Readonly<Record<string, string>> | undefined
  /** Of this line over the one before, hex. */
  readonly hash: string
  readonly erased: readonly string[]
}
/** Our word for where the log ends: who keeps it can tell later if anything before it was changed. */
export type LogHead = {
  readonly chain: string
  readonly sequence: number
  readonly hash: string
  readonly at: string
  readonly keyId: string
  readonly signature: string
}
export type AccessLogPageJson = {
  readonly data: readonly AccessLogLine[]
  readonly nextCursor?: string | undefined
  readonly head?: LogHead | undefined
}

const text = z.string()

const AccessLogPageSchema: z.ZodType<AccessLogPageJson> = z
  .strictObject({
    data: z.array(
      z
        .strictObject({
          sequence: z.int(),
          at: z.iso.datetime(),
          kind: text.meta({ description: 'read, write, write_end, session, support, refusal, stream_end, mint, admin, erasure, key.' }),
          actor: z.strictObject({
            kind: text,
            id: text.optional().meta({ description: 'Absent: erased.' }),
            issuer: text.optional(),
            name: text.optional(),
            email: text.optional(),
            roles: z.array(text),
            via: text,
          }),
          act: z
            .strictObject({ sessionId: text, reason: text.optional(), ticket: text.optional(), expiresAt: text.optional() })
            .optional()
            .meta({ description: 'On whose behalf, and why.' }),
          method: text.optional(),
          path: text.optional(),
          query: text.optional(),
          status: z.int().optional(),
          requestId: text.optional(),
          aboutOrganizationId: z.uuid().optional(),
          detail: z.record(text, z.unknown()).optional(),
          personal: z.record(text, text).optional(),
          hash: text.meta({ description: 'Of this line over the one before, hex.' }),
          erased: z.array(text),
        })
        .meta({ id: 'AccessLogLine' }),
    ),
    nextCursor: text.optional(),
    head: z
      .strictObject({ chain: text, sequence: z.int(), hash: text, at: z.iso.datetime(), keyId: text, signature: text })
      .optional()
      .meta({ id: 'LogHead', description: 'Keep it: it shows later whether anything before it was changed or cut off.' }),
  })
  .meta({ id: 'AccessLogPage' })

export const getAccessLog: RouteDef<OrganizationParams, PageQuery, undefined, AccessLogPageJson> = {
  operationId: 'getAccessLog',
  summary: 'Who looked at the organization or changed something of it, when, why, and what was opened; the newest first.',
  method: 'GET',
  path: '/v1/organizations/{id}/access-log',
  listeners: ['public', 'internal'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
  params: OrganizationParamsSchema,
  query: PageQuerySchema,
  reply: AccessLogPageSchema,
}
