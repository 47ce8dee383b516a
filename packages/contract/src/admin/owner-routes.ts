import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema } from '../schemas.ts'
import type { NoParams, NoQuery } from '../types.ts'
import { instant } from '../writes/shapes.ts'
import type { OfOrganization } from './directory-routes.ts'
import { LINES, READ, WRITE } from './parts.ts'

/** Whose cloud account is billed to which organization. */
export type OwnerParams = { readonly userId: string }
export type OwnerInput = {
  /** Null: nobody's. */
  readonly organizationId: string | null
  readonly from?: string | undefined
}
export type OwnerJson = { readonly userId: string; readonly organizationId: string | null }
export type FaultInput = { readonly audit: 'down' | 'ok' }

const OwnerSchema: z.ZodType<OwnerJson> = z
  .strictObject({ userId: z.uuid(), organizationId: z.uuid().nullable() })
  .meta({ id: 'CloudOwner' })
const params: z.ZodType<OwnerParams, unknown> = z.strictObject({ userId: z.uuid() })

export const listOwners: RouteDef<NoParams, OfOrganization, undefined, string> = {
  ...READ,
  operationId: 'listOwners',
  summary: 'Cloud owners, or those of an organization: a JSON object a line.',
  path: '/v1/owners',
  params: NoParamsSchema,
  query: z.strictObject({ organizationId: z.uuid().optional() }),
  reply: LINES,
}

export const getOwner: RouteDef<OwnerParams, NoQuery, undefined, OwnerJson> = {
  ...READ,
  operationId: 'getOwner',
  summary: "To which organization a user's cloud account belongs now.",
  path: '/v1/owners/{userId}',
  params,
  query: NoQuerySchema,
  reply: OwnerSchema,
}

export const putOwner: RouteDef<OwnerParams, NoQuery, OwnerInput, OwnerJson> = {
  ...WRITE,
  operationId: 'putOwner',
  summary: "Says to which organization a user's cloud account belongs, from an instant on; null: to none.",
  method: 'PUT',
  path: '/v1/owners/{userId}',
  params,
  body: z.strictObject({ organizationId: z.uuid().nullable(), from: instant.optional() }),
  reply: OwnerSchema,
}

/** Only with `--sandbox-faults`: what happens when the trail cannot be written, to be seen. */
export const setFaults: RouteDef<NoParams, NoQuery, FaultInput, FaultInput> = {
  ...WRITE,
  operationId: 'setFaults',
  summary: 'Breaks the audit trail on purpose, or mends it. Only with --sandbox-faults.',
  method: 'POST',
  path: '/v1/faults',
  params: NoParamsSchema,
  body: z.strictObject({ audit: z.enum(['down', 'ok']) }),
  reply: z.strictObject({ audit: z.enum(['down', 'ok']) }).meta({ id: 'Faults' }),
  optional: 'faults',
}

export const OWNER_ROUTES: readonly RouteDef[] = [listOwners, getOwner, putOwner, setFaults]
