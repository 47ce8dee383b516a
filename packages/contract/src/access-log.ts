import { z } from 'zod'
import type { RouteDef } from './route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from './schemas.ts'
import type { NoQuery, OrganizationParams } from './types.ts'
import { day } from './reads/parts.ts'

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
/** What narrows the log. Several words of one: any of them. */
export type AccessLogQuery = {
  /** UTC days, both inclusive. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly kind?: readonly string[] | undefined
  /** What who did it is. */
  readonly by?: readonly string[] | undefined
  /** Part of a name, an id, an e-mail address, a reason or a ticket. */
  readonly q?: string | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}
/** Whether a log is whole, as its own hashes say. */
export type AccessLogCheck = {
  /** Lines that the log has. */
  readonly lines: number
  readonly since?: string | undefined
  /** Lines that were checked: all of them, or as many of a long log as are checked at once. */
  readonly checked: number
  readonly isWhole: boolean
  /** The first line that is not what it was, and in what way. */
  readonly problem?: { readonly sequence?: number | undefined; readonly message: string } | undefined
  /** Personal fields that were erased since, on somebody's right. */
  readonly erasedFields: number
  readonly head?: LogHead | undefined
}
export type AccessLogPageJson = {
  /** With a filter a page may be short, or empty, and more may follow. */
  readonly data: readonly AccessLogLine[]
  readonly nextCursor?: string | undefined
  readonly head?: LogHead | undefined
}

const text = z.string()

const HeadSchema: z.ZodType<LogHead> = z
  .strictObject({ chain: text, sequence: z.int(), hash: text, at: z.iso.datetime(), keyId: text, signature: text })
  .meta({ id: 'LogHead', description: 'Keep it: it shows later whether anything before it was changed or cut off.' })

const AccessLogPageSchema: z.ZodType<AccessLogPageJson> = z
  .strictObject({
    data: z.array(
      z
        .strictObject({
          sequence: z.int(),
          at: z.iso.datetime(),
          kind: text.meta({
            description: 'read, write, write_end, session, support, refusal, stream_end, mint, act, admin, erasure, key.',
          }),
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
    head: HeadSchema.optional(),
  })
  .meta({ id: 'AccessLogPage' })

const KINDS = [
  'read',
  'write',
  'write_end',
  'session',
  'support',
  'refusal',
  'stream_end',
  'mint',
  'admin',
  'erasure',
  'key',
  'act',
] as const
const ACTORS = ['operator', 'user', 'key', 'platform', 'system'] as const

function some<Word extends string>(of: readonly Word[]): z.ZodType<readonly Word[] | undefined, unknown> {
  const word = z.enum(of)
  return z
    .union([word.transform((one): readonly Word[] => [one]), z.array(word).min(1).max(of.length)])
    .optional()
    .meta({ description: 'Any of these; repeat the parameter for several.' })
}

const AccessLogQuerySchema: z.ZodType<AccessLogQuery, unknown> = z.strictObject({
  from: day.optional(),
  to: day.optional(),
  kind: some(KINDS),
  by: some(ACTORS),
  q: z
    .string()
    .max(200)
    .optional()
    .meta({ description: 'Part of a name, id, e-mail address, reason or ticket; upper and lower case are one.' }),
  cursor: z.string().max(500).optional().meta({ description: '`nextCursor` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

const READ = {
  method: 'GET',
  listeners: ['public', 'internal'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
  params: OrganizationParamsSchema,
} as const

export const getAccessLog: RouteDef<OrganizationParams, AccessLogQuery, undefined, AccessLogPageJson> = {
  ...READ,
  operationId: 'getAccessLog',
  summary: 'Who looked at the organization or changed something of it, when, why, and what was opened; the newest first.',
  path: '/v1/organizations/{id}/access-log',
  query: AccessLogQuerySchema,
  reply: AccessLogPageSchema,
}

export const verifyAccessLog: RouteDef<OrganizationParams, NoQuery, undefined, AccessLogCheck> = {
  ...READ,
  operationId: 'verifyAccessLog',
  summary: 'Computes the chain of the log anew, from its first line to its head, and says whether it is whole.',
  path: '/v1/organizations/{id}/access-log/verification',
  query: NoQuerySchema,
  reply: z
    .strictObject({
      lines: z.int().min(0),
      since: z.iso.datetime().optional(),
      checked: z.int().min(0),
      isWhole: z.boolean(),
      problem: z.strictObject({ sequence: z.int().optional(), message: text }).optional(),
      erasedFields: z.int().min(0),
      head: HeadSchema.optional(),
    })
    .meta({ id: 'AccessLogCheck' }),
}

export const exportAccessLog: RouteDef<OrganizationParams, NoQuery> = {
  ...READ,
  operationId: 'exportAccessLog',
  summary:
    'The whole log, oldest first, one JSON object a line, with its signed head at its end: `ascribe audit verify` checks it anywhere.',
  path: '/v1/organizations/{id}/access-log/export',
  query: NoQuerySchema,
  reply: { stream: ['application/jsonl'] },
}

export const ACCESS_LOG_ROUTES: readonly RouteDef[] = [getAccessLog, verifyAccessLog, exportAccessLog]
