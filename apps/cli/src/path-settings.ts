import { z } from 'zod'

/** What an operator says about a path of the gateway; `createEndpointTable` checks it. */
export type PathSettings =
  | { readonly path: string; readonly rule: 'billable'; /** How it is metered. */ readonly api: string }
  | { readonly path: string; readonly rule: 'free'; /** Default `POST`. */ readonly method?: 'GET' | 'POST' | undefined }
  | { readonly path: string; readonly rule: 'refused' }

const path = z.string().min(1)

export const PathSchema: z.ZodType<PathSettings, unknown> = z.discriminatedUnion('rule', [
  z.strictObject({
    path,
    rule: z.literal('billable'),
    api: z.enum(['chat', 'completions', 'embeddings', 'responses', 'messages', 'speech', 'transcriptions', 'images', 'rerank']),
  }),
  z.strictObject({ path, rule: z.literal('free'), method: z.enum(['GET', 'POST']).optional() }),
  z.strictObject({ path, rule: z.literal('refused') }),
])
