import { getAccessLog } from '@ascribe/contract/writes'
import { readAccessLog } from '@ascribe/ledger'
import { Refusal } from './errors.ts'
import { organizationRoute } from './handler.ts'
import type { Route } from './handler.ts'

/** Who looked, when, why, and what was opened: the customer's to read (R28), with our word for where the log ends. */
export const accessLogRoute: Route = organizationRoute(getAccessLog, async ({ db, organizationId, signedHead }, { query }) => {
  const { cursor, limit } = query
  // Before the page: it may then name a line that the page has not, never the other way round.
  const head = cursor === undefined ? await signedHead(organizationId) : undefined
  const page = await readAccessLog(db, { organizationId, limit, ...(cursor !== undefined && { cursor }) })
  if (page === 'bad_cursor') throw new Refusal('invalid_request', 'Cannot use the query: cursor: is none of this log')
  return {
    data: page.entries,
    ...(page.nextCursor !== undefined && { nextCursor: page.nextCursor }),
    ...(head !== undefined && { head }),
  }
})
