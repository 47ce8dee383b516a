import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoParams, NoQuery, OrganizationParams } from '../types.ts'
import { instant, text } from '../writes/shapes.ts'
import { LINES, READ, WRITE } from './parts.ts'

export type AdminOrganization = {
  readonly id: string
  readonly name: string
  readonly currency: string
  readonly createdAt: string
  readonly parentId?: string | undefined
  /** Present: it is no more. */
  readonly ended?: true | undefined
}
export type NewAdminOrganization = {
  readonly name: string
  readonly id?: string | undefined
  readonly currency?: string | undefined
  readonly parentId?: string | undefined
}
export type OrganizationChange = { readonly name?: string | undefined; readonly parentId?: string | null | undefined }
export type ParentQuery = { readonly parentId?: string | undefined }

const AdminOrganizationSchema: z.ZodType<AdminOrganization> = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    currency: z.string(),
    createdAt: instant,
    parentId: z.uuid().optional(),
    ended: z.literal(true).optional().meta({ description: 'It is no more. What was used stays billed.' }),
  })
  .meta({ id: 'AdminOrganization' })

export const createOrganization: RouteDef<NoParams, NoQuery, NewAdminOrganization, AdminOrganization> = {
  ...WRITE,
  operationId: 'createOrganization',
  summary: 'Makes an organization, perhaps under another one.',
  method: 'POST',
  path: '/v1/organizations',
  params: NoParamsSchema,
  body: z.strictObject({
    name: text(),
    id: z.uuid().optional().meta({ description: "The platform's own id for it; default: a new one." }),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .optional()
      .meta({ description: 'ISO 4217; default USD. Can never be changed.' }),
    parentId: z.uuid().optional(),
  }),
  reply: AdminOrganizationSchema,
  status: 201,
}

export const listOrganizations: RouteDef<NoParams, ParentQuery, undefined, string> = {
  ...READ,
  operationId: 'listOrganizations',
  summary: 'Every organization, or those directly under one, oldest first: a JSON object a line.',
  path: '/v1/organizations',
  params: NoParamsSchema,
  query: z.strictObject({ parentId: z.uuid().optional() }),
  reply: LINES,
}

export const getAdminOrganization: RouteDef<OrganizationParams, NoQuery, undefined, AdminOrganization> = {
  ...READ,
  operationId: 'getAdminOrganization',
  summary: 'One organization.',
  path: '/v1/organizations/{id}',
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: AdminOrganizationSchema,
}

export const changeOrganization: RouteDef<OrganizationParams, NoQuery, OrganizationChange, AdminOrganization> = {
  ...WRITE,
  operationId: 'changeOrganization',
  summary: 'Renames an organization, or puts it under another one; null: under none.',
  method: 'PUT',
  path: '/v1/organizations/{id}',
  params: OrganizationParamsSchema,
  body: z.strictObject({ name: text().optional(), parentId: z.uuid().nullable().optional() }),
  reply: AdminOrganizationSchema,
}

export const endOrganization: RouteDef<OrganizationParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'endOrganization',
  summary: 'Says that there is no such organization any more: its keys let nobody in. What was used stays billed.',
  method: 'DELETE',
  path: '/v1/organizations/{id}',
  params: OrganizationParamsSchema,
}

export const ORGANIZATION_ROUTES: readonly RouteDef[] = [
  createOrganization,
  listOrganizations,
  getAdminOrganization,
  changeOrganization,
  endOrganization,
]
