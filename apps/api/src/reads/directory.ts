import { getOrganization, listApiKeys, listGroups, listMembers, listModels, listResources } from '@ascribe/contract/reads'
import type {
  ApiKeyJson,
  ApiKeysPage,
  GroupsPage,
  ListQuery,
  MembersPage,
  ModelsReply,
  OrganizationJson,
  ResourceJson,
  ResourcesPage,
  ResourcesQuery,
} from '@ascribe/contract/reads'
import {
  dayText,
  periodOfDays,
  readFamily,
  readGroupsOf,
  readKeys,
  readMembers,
  readModels,
  readOrganizationView,
  readResources,
} from '@ascribe/ledger/views'
import type { ViewedKey, ViewedResource } from '@ascribe/ledger/views'
import { formatInstant, formatNano } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { currencyOf } from './currency.ts'
import { nextOf, placeOrRefuse } from './paging.ts'
import { windowOrMonth } from './reports.ts'

/** Who and what an organization has. */
export const directoryRoutes: readonly Route[] = [
  organizationRoute(getOrganization, (context) => readOrganization(context)),
  organizationRoute(listApiKeys, (context, { query }) => readApiKeys(context, query)),
  organizationRoute(listMembers, (context, { query }) => readMembersPage(context, query)),
  organizationRoute(listGroups, (context, { query }) => readGroupsPage(context, query)),
  organizationRoute(listModels, (context) => readModelsOf(context)),
  organizationRoute(listResources, (context, { query }) => readResourcesPage(context, query)),
]

async function readOrganization(context: OrganizationContext): Promise<OrganizationJson> {
  const { db, organizationId, clock } = context
  const view = await readOrganizationView(db, organizationId, clock())
  if (view === undefined) throw new Refusal('organization_not_found', 'There is no such organization.')
  const children = (await readFamily(db, organizationId)).slice(1)
  context.alsoAbout(children.map(({ id }) => id))
  return {
    id: view.id,
    name: view.name,
    currency: view.currency,
    plan: view.plan,
    blocked: view.isBlocked,
    ...(view.trialExpiresAt !== undefined && { trialExpiresAt: formatInstant(view.trialExpiresAt) }),
    ...(view.parentId !== undefined && { parentId: view.parentId }),
    children,
  }
}

async function readModelsOf(context: OrganizationContext): Promise<ModelsReply> {
  const { db, clock } = context
  const models = await readModels(db, { currency: await currencyOf(context), at: clock() })
  return { data: models.map((id) => ({ id })) }
}

async function readApiKeys(context: OrganizationContext, { limit, cursor }: ListQuery): Promise<ApiKeysPage> {
  const { db, organizationId, clock } = context
  const scope = ['listApiKeys', organizationId]
  const after = placeOrRefuse(scope, cursor)
  const { keys, next } = await readKeys(db, { organizationId, now: clock(), limit, ...(after !== undefined && { after }) })
  return { currency: await currencyOf(context), data: keys.map(keyJson), ...nextOf(scope, next) }
}

function keyJson(key: ViewedKey): ApiKeyJson {
  const { name, userId, groupId, expiresAt, revokedAt, lastUsedAt } = key
  return {
    id: key.authId,
    publicId: key.publicId,
    ...(name !== undefined && { name }),
    scopes: key.scopes,
    ...(userId !== undefined && { user: userId }),
    ...(groupId !== undefined && { group: groupId }),
    state: key.state,
    createdAt: formatInstant(key.createdAt),
    ...(expiresAt !== undefined && { expiresAt: formatInstant(expiresAt) }),
    ...(revokedAt !== undefined && { revokedAt: formatInstant(revokedAt) }),
    ...(lastUsedAt !== undefined && { lastUsedAt: formatInstant(lastUsedAt) }),
    spentThisMonth: formatNano(key.spentThisMonth),
  }
}

async function readMembersPage({ db, organizationId }: OrganizationContext, { limit, cursor }: ListQuery): Promise<MembersPage> {
  const scope = ['listMembers', organizationId]
  const after = placeOrRefuse(scope, cursor)
  const { entries, next } = await readMembers(db, { organizationId, limit, ...(after !== undefined && { after }) })
  return { data: entries.map(({ groupIds, ...member }) => ({ ...member, groups: groupIds })), ...nextOf(scope, next) }
}

async function readGroupsPage({ db, organizationId }: OrganizationContext, { limit, cursor }: ListQuery): Promise<GroupsPage> {
  const scope = ['listGroups', organizationId]
  const after = placeOrRefuse(scope, cursor)
  const { entries, next } = await readGroupsOf(db, { organizationId, limit, ...(after !== undefined && { after }) })
  return { data: entries, ...nextOf(scope, next) }
}

async function readResourcesPage(context: OrganizationContext, query: ResourcesQuery): Promise<ResourcesPage> {
  const { db, organizationId, clock } = context
  const window = windowOrMonth(query, clock())
  const scope = ['listResources', organizationId, window.from, window.to, query.kind]
  const after = placeOrRefuse(scope, query.cursor)
  const period = periodOfDays(window)
  const { resources, next } = await readResources(db, {
    organizationId,
    period,
    limit: query.limit,
    ...(query.kind !== undefined && { kind: query.kind }),
    ...(after !== undefined && { after }),
  })
  return {
    start: formatInstant(period.start),
    end: formatInstant(period.end),
    currency: await currencyOf(context),
    data: resources.map(resourceJson),
    ...nextOf(scope, next),
  }
}

function resourceJson(resource: ViewedResource): ResourceJson {
  const { type, name, firstUsed, lastUsed, hours } = resource
  return {
    id: resource.id,
    kind: resource.kind,
    ...(type !== undefined && { type }),
    ...(name !== undefined && { name }),
    region: resource.region,
    owners: resource.ownerIds,
    ...(firstUsed !== undefined && { firstUsedOn: dayText(firstUsed) }),
    ...(lastUsed !== undefined && { lastUsedOn: dayText(lastUsed) }),
    ...(hours !== undefined && { hours }),
    meters: Object.fromEntries(Object.entries(resource.meters).map(([meter, quantity]) => [meter, String(quantity)])),
    amount: formatNano(resource.amount),
  }
}
