import { z } from 'zod'
import type { Listener, RouteDef, StreamContent } from '../route.ts'
import { NoQuerySchema } from '../schemas.ts'
import type { NoQuery } from '../types.ts'

type Common = { readonly listeners: readonly Listener[]; readonly subject: 'platform'; readonly needs: RouteDef['needs'] }

/** What definitions of the admin listener have in common. */
export const READ: Common & { readonly method: 'GET' } = {
  method: 'GET',
  listeners: ['admin'],
  subject: 'platform',
  needs: { platform: 'platform:read' },
}

export const WRITE: Common & { readonly query: z.ZodType<NoQuery, unknown> } = {
  listeners: ['admin'],
  subject: 'platform',
  needs: { platform: 'platform:write' },
  query: NoQuerySchema,
}

/** One JSON value a line: lists of any length, in flat memory. */
export const LINES: StreamContent = { stream: ['application/x-ndjson'] }

/** What became of something that is said again and again: how many rows changed; 0 when it was so already. */
export type Changed = { readonly changes: number }
export const ChangedSchema: z.ZodType<Changed> = z.strictObject({ changes: z.int().min(0) }).meta({ id: 'Changed' })
