import { getOwner, listOwners, putOwner } from '@ascribe/contract/admin'
import { mapOwner, readOwner, streamOwners } from '@ascribe/ledger'
import type { CloudOwner } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { route } from '../handler.ts'
import type { Route } from '../handler.ts'
import { authorOf, instantOf } from './by.ts'
import { linesReply } from './lines.ts'

/** Whose cloud account is billed to which organization, from when on. */
export const ownerRoutes: readonly Route[] = [
  route(listOwners, async ({ db }, { query: { organizationId } }) =>
    linesReply(mapped(streamOwners(db, organizationId === undefined ? {} : { organizationId }))),
  ),
  route(getOwner, async ({ db }, { params: { userId } }) => {
    const owner = await readOwner(db, userId)
    if (owner === undefined) throw new Refusal('not_found', 'There is no such cloud owner.')
    return { userId, organizationId: owner.organizationId ?? null }
  }),
  route(putOwner, async (context, { params: { userId }, body: { organizationId, from } }) => {
    const outcome = await mapOwner(context.db, {
      userId,
      organizationId,
      ...(from !== undefined && { from: instantOf(from) }),
      recordedBy: authorOf(context.caller),
    })
    if (outcome === 'unknown_organization') throw new Refusal('not_found', 'There is no such organization.')
    if (organizationId !== null) context.alsoAbout([organizationId.toLowerCase()])
    context.note({ owner: userId, outcome })
    return { userId, organizationId }
  }),
]

async function* mapped(owners: AsyncIterable<CloudOwner>): AsyncGenerator<object, void, undefined> {
  for await (const { userId, organizationId, since } of owners)
    yield { userId, organizationId, ...(since !== -Infinity && { since: formatInstant(since) }) }
}
