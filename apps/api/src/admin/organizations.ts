import { changeOrganization, createOrganization, endOrganization, getAdminOrganization, listOrganizations } from '@ascribe/contract/admin'
import type { AdminOrganization, NewAdminOrganization, OrganizationChange } from '@ascribe/contract/admin'
import {
  createOrganization as create,
  endOrganization as end,
  findOrganization,
  moveOrganization,
  renameOrganization,
  streamOrganizations,
} from '@ascribe/ledger'
import type { Organization } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute, route } from '../handler.ts'
import type { OrganizationContext, RequestContext, Route } from '../handler.ts'
import { authorOf } from './by.ts'
import { linesReply } from './lines.ts'

export const organizationRoutes: readonly Route[] = [
  route(createOrganization, (context, { body }) => make(context, body)),
  route(listOrganizations, async ({ db }, { query: { parentId } }) =>
    linesReply(mapped(streamOrganizations(db, parentId === undefined ? {} : { parentId }))),
  ),
  organizationRoute(getAdminOrganization, (context) => read(context)),
  organizationRoute(changeOrganization, (context, { body }) => change(context, body)),
  organizationRoute(endOrganization, async ({ db, organizationId, caller }) => {
    await end(db, { id: organizationId, recordedBy: authorOf(caller) })
    return new PlainReply({ status: 204 })
  }),
]

async function make(context: RequestContext, body: NewAdminOrganization): Promise<AdminOrganization> {
  const { name, id, currency, parentId } = body
  const made = await create(context.db, {
    name,
    ...(id !== undefined && { id }),
    ...(currency !== undefined && { currency }),
    ...(parentId !== undefined && { parentId }),
    recordedBy: authorOf(context.caller),
  })
  context.alsoAbout([made.id])
  context.note({ organization: made.id })
  return organizationJson(made)
}

async function read({ db, organizationId }: OrganizationContext): Promise<AdminOrganization> {
  const found = await findOrganization(db, organizationId)
  if (found === undefined || found === 'ambiguous') throw new Refusal('organization_not_found', 'There is no such organization.')
  return organizationJson(found)
}

async function change(context: OrganizationContext, { name, parentId }: OrganizationChange): Promise<AdminOrganization> {
  const { db, organizationId: id, caller } = context
  const recordedBy = authorOf(caller)
  if (parentId !== undefined) {
    const moved = await moveOrganization(db, { id, parentId, recordedBy })
    if (moved === 'unknown_parent') throw new Refusal('not_found', 'There is no organization to stand above it.')
    if (moved === 'circle') throw new Refusal('conflict', 'An organization would stand under itself.')
  }
  if (name !== undefined) await renameOrganization(db, { id, name, recordedBy })
  return read(context)
}

async function* mapped(organizations: AsyncIterable<Organization>): AsyncGenerator<AdminOrganization, void, undefined> {
  for await (const organization of organizations) yield organizationJson(organization)
}

function organizationJson({ id, name, currency, createdAt, parentId, ended }: Organization): AdminOrganization {
  return {
    id,
    name,
    currency,
    createdAt: formatInstant(createdAt),
    ...(parentId !== undefined && { parentId }),
    ...(ended === true && { ended }),
  }
}
