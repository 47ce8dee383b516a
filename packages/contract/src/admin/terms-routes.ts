import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema } from '../schemas.ts'
import type { NoParams, NoQuery } from '../types.ts'
import { externalId } from '../writes/shapes.ts'
import { LINES, READ, WRITE } from './parts.ts'

type Scope = 'credential' | 'group' | 'organization'

/** What is absent stays as it is; null: as wider terms have it. */
export type TermsInput = {
  readonly scope: Scope
  readonly subject: string
  readonly abort?: 'drain' | 'cancel' | 'estimate' | null | undefined
  readonly drainMs?: number | null | undefined
  readonly drainBytes?: number | null | undefined
  readonly drainTokens?: number | null | undefined
  readonly maxConcurrent?: number | null | undefined
}
export type TermsParams = { readonly scope: Scope; readonly subject: string }

const scope = z.enum(['credential', 'group', 'organization'])

const count = (least: number, most: number): z.ZodType<number | null | undefined> => z.int().min(least).max(most).nullable().optional()

export const listTerms: RouteDef<NoParams, NoQuery, undefined, string> = {
  ...READ,
  operationId: 'listTerms',
  summary: 'All terms on which credentials are served: a JSON object a line.',
  path: '/v1/terms',
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: LINES,
}

export const setTerms: RouteDef<NoParams, NoQuery, TermsInput, { readonly outcome: string }> = {
  ...WRITE,
  operationId: 'setTerms',
  summary:
    'Says on what terms a credential is served, or each one of a group or an organization that says nothing else. Null takes a term back.',
  method: 'PUT',
  path: '/v1/terms',
  params: NoParamsSchema,
  body: z.strictObject({
    scope,
    subject: externalId,
    abort: z.enum(['drain', 'cancel', 'estimate']).nullable().optional(),
    drainMs: count(0, 3_600_000),
    drainBytes: count(0, 1024 ** 3),
    drainTokens: count(0, 1_000_000_000),
    maxConcurrent: count(1, 100_000).meta({
      description: 'Requests at once of one credential in one gateway process: each worker and each machine counts by itself.',
    }),
  }),
  reply: z.strictObject({ outcome: z.enum(['set', 'changed', 'unchanged']) }).meta({ id: 'SetTerms' }),
}

export const endTerms: RouteDef<TermsParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'endTerms',
  summary: 'Takes all terms of a credential, a group or an organization back.',
  method: 'DELETE',
  path: '/v1/terms/{scope}/{subject}',
  params: z.strictObject({ scope, subject: externalId }),
}

export const TERMS_ROUTES: readonly RouteDef[] = [listTerms, setTerms, endTerms]
