import {
  endGroup,
  endMember,
  endResource,
  endUser,
  listGroups,
  listResources,
  listUsers,
  putGroup,
  putMember,
  putResource,
  putUser,
} from '@ascribe/contract/admin'
import { checkDocument, endEntry, endMembership, streamGroups, streamResources, streamUsers, syncDirectory } from '@ascribe/ledger'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute, route } from '../handler.ts'
import type { RequestContext, Route } from '../handler.ts'
import { authorOf } from './by.ts'
import { linesReply } from './lines.ts'

type Kind = 'user' | 'group' | 'resource'

export const directoryRoutes: readonly Route[] = [
  route(listUsers, async ({ db }, { query }) => linesReply(streamUsers(db, filterOf(query)))),
  route(listGroups, async ({ db }, { query }) => linesReply(streamGroups(db, filterOf(query)))),
  route(listResources, async ({ db }, { query }) => linesReply(streamResources(db, filterOf(query)))),
  route(putUser, (context, { params, body }) => put(context, 'users', { id: params.entryId, ...body })),
  route(putGroup, (context, { params, body }) => put(context, 'groups', { id: params.entryId, ...body })),
  route(putResource, (context, { params, body }) => put(context, 'resources', { id: params.entryId, ...body })),
  route(endUser, (context, { params }) => end(context, 'user', params.entryId)),
  route(endGroup, (context, { params }) => end(context, 'group', params.entryId)),
  route(endResource, (context, { params }) => end(context, 'resource', params.entryId)),
  organizationRoute(putMember, (context, { params, body }) =>
    put(context, 'users', { id: params.userId, organizations: [context.organizationId], role: body.role }),
  ),
  organizationRoute(endMember, async ({ db, organizationId, caller }, { params }) => {
    const outcome = await endMembership(db, { organizationId, userId: params.userId, recordedBy: authorOf(caller) })
    if (outcome === 'unknown') throw new Refusal('not_found', 'There is no such member.')
    return new PlainReply({ status: 204 })
  }),
]

function filterOf({ organizationId }: { readonly organizationId?: string | undefined }): { readonly organizationId?: string } {
  return organizationId === undefined ? {} : { organizationId }
}

/** Checks and makes an entry, as a source of the directory would. */
async function put(context: RequestContext, section: `${Kind}s`, fields: object): Promise<{ readonly changes: number }> {
  const { document, problems } = checkDocument({ [section]: [fields] })
  const [problem] = problems
  if (problem !== undefined) throw new Refusal('invalid_request', `Cannot save it: ${problem.message}; ${problem.hint}`)
  const outcome = await syncDirectory(context.db, document, { recordedBy: authorOf(context.caller) })
  if (outcome.kind === 'refused') {
    const [refused] = outcome.problems
    throw new Refusal('conflict', `Cannot save it: ${refused?.message ?? 'it contradicts the directory'}; ${refused?.hint ?? ''}`)
  }
  return { changes: 'changes' in outcome ? outcome.changes.length : 0 }
}

async function end({ db, caller }: RequestContext, kind: Kind, id: string): Promise<PlainReply> {
  const changes = await endEntry(db, { kind, id, recordedBy: authorOf(caller) })
  if (changes.length === 0) throw new Refusal('not_found', `There is no such ${kind}.`)
  return new PlainReply({ status: 204 })
}
