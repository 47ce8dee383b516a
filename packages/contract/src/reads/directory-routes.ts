import type { RouteDef } from '../route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoQuery, OrganizationParams } from '../types.ts'
import {
  ApiKeysPageSchema,
  GroupsPageSchema,
  ListQuerySchema,
  MembersPageSchema,
  ModelsReplySchema,
  OrganizationJsonSchema,
  ResourcesPageSchema,
  ResourcesQuerySchema,
} from './directory-schemas.ts'
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
import { READ } from './reference-routes.ts'

export const getOrganization: RouteDef<OrganizationParams, NoQuery, undefined, OrganizationJson> = {
  ...READ,
  operationId: 'getOrganization',
  summary: 'The organization, its plan, and those that stand directly under it.',
  path: '/v1/organizations/{id}',
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: OrganizationJsonSchema,
}

export const listApiKeys: RouteDef<OrganizationParams, ListQuery, undefined, ApiKeysPage> = {
  ...READ,
  operationId: 'listApiKeys',
  summary: 'API keys, oldest first: when each was used last and what it has spent this month. Never a secret.',
  path: '/v1/organizations/{id}/credentials',
  params: OrganizationParamsSchema,
  query: ListQuerySchema,
  reply: ApiKeysPageSchema,
}

export const listMembers: RouteDef<OrganizationParams, ListQuery, undefined, MembersPage> = {
  ...READ,
  operationId: 'listMembers',
  summary: 'The members that the directory has now.',
  path: '/v1/organizations/{id}/members',
  params: OrganizationParamsSchema,
  query: ListQuerySchema,
  reply: MembersPageSchema,
}

export const listGroups: RouteDef<OrganizationParams, ListQuery, undefined, GroupsPage> = {
  ...READ,
  operationId: 'listGroups',
  summary: 'The groups that the directory has now.',
  path: '/v1/organizations/{id}/groups',
  params: OrganizationParamsSchema,
  query: ListQuerySchema,
  reply: GroupsPageSchema,
}

export const listResources: RouteDef<OrganizationParams, ResourcesQuery, undefined, ResourcesPage> = {
  ...READ,
  operationId: 'listResources',
  summary: 'Resources, virtual machines among them, with what they used and cost in a window.',
  path: '/v1/organizations/{id}/resources',
  params: OrganizationParamsSchema,
  query: ResourcesQuerySchema,
  reply: ResourcesPageSchema,
}

export const listModels: RouteDef<OrganizationParams, NoQuery, undefined, ModelsReply> = {
  ...READ,
  operationId: 'listModels',
  summary: 'The models that have a price for this organization now, by name; fine-tunes are not among them.',
  path: '/v1/organizations/{id}/models',
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: ModelsReplySchema,
}

export const DIRECTORY_ROUTES: readonly RouteDef[] = [getOrganization, listApiKeys, listMembers, listGroups, listResources, listModels]
