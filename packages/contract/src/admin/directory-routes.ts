import { z } from 'zod'
import type { RouteDef, UserRole } from '../route.ts'
import { NoParamsSchema } from '../schemas.ts'
import type { NoParams, NoQuery } from '../types.ts'
import { externalId, text } from '../writes/shapes.ts'
import { ChangedSchema, LINES, READ, WRITE } from './parts.ts'
import type { Changed } from './parts.ts'

/** What is left out stays as it is; null takes it away. */
export type UserEntryJson = {
  readonly name?: string | null | undefined
  readonly email?: string | null | undefined
  readonly organizations?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
}
export type GroupEntryJson = { readonly organization: string; readonly name?: string | null | undefined }
export type ResourceEntryJson = {
  readonly type?: string | null | undefined
  readonly name?: string | null | undefined
  readonly organization?: string | null | undefined
  readonly region?: string | null | undefined
}
export type EntryParams = { readonly entryId: string }
export type OfOrganization = { readonly organizationId?: string | undefined }
export type MemberParams = { readonly id: string; readonly userId: string }
export type Member = { readonly role: UserRole }

const params: z.ZodType<EntryParams, unknown> = z.strictObject({ entryId: externalId })
const query: z.ZodType<OfOrganization, unknown> = z.strictObject({ organizationId: z.uuid().optional() })
const name = text().nullable().optional()
const ids = <Id extends z.ZodType>(id: Id): z.ZodOptional<z.ZodArray<Id>> => z.array(id).max(1000).optional()

function list(kind: 'user' | 'group' | 'resource'): RouteDef<NoParams, OfOrganization, undefined, string> {
  return {
    ...READ,
    operationId: `listAll${kind.charAt(0).toUpperCase()}${kind.slice(1)}s`,
    summary: `Every ${kind}, or those of an organization, by id: a JSON object a line.`,
    path: `/v1/${kind}s`,
    params: NoParamsSchema,
    query,
    reply: LINES,
  }
}

function end(kind: 'user' | 'group' | 'resource'): RouteDef<EntryParams, NoQuery, undefined, undefined> {
  return {
    ...WRITE,
    operationId: `end${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
    summary: `Says that there is no such ${kind} any more, from now on. History and usage stay.`,
    method: 'DELETE',
    path: `/v1/${kind}s/{entryId}`,
    params,
  }
}

const PUT = { ...WRITE, method: 'PUT', params, reply: ChangedSchema } as const

export const listUsers: RouteDef<NoParams, OfOrganization, undefined, string> = list('user')
export const listGroups: RouteDef<NoParams, OfOrganization, undefined, string> = list('group')
export const listResources: RouteDef<NoParams, OfOrganization, undefined, string> = list('resource')
export const endUser: RouteDef<EntryParams, NoQuery, undefined, undefined> = end('user')
export const endGroup: RouteDef<EntryParams, NoQuery, undefined, undefined> = end('group')
export const endResource: RouteDef<EntryParams, NoQuery, undefined, undefined> = end('resource')

export const putUser: RouteDef<EntryParams, NoQuery, UserEntryJson, Changed> = {
  ...PUT,
  operationId: 'putUser',
  summary: 'Adds a user, or says more of one. Organizations and groups are added to those that the user is in.',
  path: '/v1/users/{entryId}',
  body: z.strictObject({ name, email: text(320).nullable().optional(), organizations: ids(z.uuid()), groups: ids(externalId) }),
}

export const putGroup: RouteDef<EntryParams, NoQuery, GroupEntryJson, Changed> = {
  ...PUT,
  operationId: 'putGroup',
  summary: 'Adds a group of an organization, or says more of one.',
  path: '/v1/groups/{entryId}',
  body: z.strictObject({ organization: z.uuid(), name }),
}

export const putResource: RouteDef<EntryParams, NoQuery, ResourceEntryJson, Changed> = {
  ...PUT,
  operationId: 'putResource',
  summary: 'Adds a resource, or says more of one.',
  path: '/v1/resources/{entryId}',
  body: z.strictObject({ type: name, name, organization: z.uuid().nullable().optional(), region: name }),
}

const member: z.ZodType<MemberParams, unknown> = z.strictObject({ id: z.string(), userId: externalId })

export const putMember: RouteDef<MemberParams, NoQuery, Member, Changed> = {
  ...WRITE,
  operationId: 'putMember',
  summary: 'Makes a user a member of an organization, or changes what the member may do. A user that is not there yet is added.',
  method: 'PUT',
  path: '/v1/organizations/{id}/members/{userId}',
  params: member,
  body: z.strictObject({ role: z.enum(['viewer', 'admin']) }),
  reply: ChangedSchema,
}

export const endMember: RouteDef<MemberParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'endMember',
  summary: 'Ends a membership, from now on.',
  method: 'DELETE',
  path: '/v1/organizations/{id}/members/{userId}',
  params: member,
}

export const DIRECTORY_ROUTES: readonly RouteDef[] = [
  listUsers,
  putUser,
  endUser,
  listGroups,
  putGroup,
  endGroup,
  listResources,
  putResource,
  endResource,
  putMember,
  endMember,
]
