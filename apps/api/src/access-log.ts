import { exportAccessLog, getAccessLog, verifyAccessLog } from '@ascribe/contract/writes'
import type { AccessLogCheck, AccessLogQuery } from '@ascribe/contract/writes'
import { checkChain, exportChain, readAccessLog } from '@ascribe/ledger'
import { periodOfDays } from '@ascribe/ledger/views'
import { Refusal } from './errors.ts'
import { StreamReply, organizationRoute } from './handler.ts'
import type { OrganizationContext, Route } from './handler.ts'

/** Who looked, when, why, and what was opened: the customer's to read (R28), with our word for where the log ends. */
export const accessLogRoutes: readonly Route[] = [
  organizationRoute(getAccessLog, async ({ db, organizationId, signedHead }, { query }) => {
    const { cursor, limit } = query
    // Before the page: it may then name a line that the page has not, never the other way round.
    const head = cursor === undefined ? await signedHead(organizationId) : undefined
    const page = await readAccessLog(db, { organizationId, limit, ...filterOf(query), ...(cursor !== undefined && { cursor }) })
    if (page === 'bad_cursor') throw new Refusal('invalid_request', 'Cannot use the query: cursor: is none of this log')
    return {
      data: page.entries,
      ...(page.nextCursor !== undefined && { nextCursor: page.nextCursor }),
      ...(head !== undefined && { head }),
    }
  }),
  organizationRoute(verifyAccessLog, (context) => check(context)),
  organizationRoute(exportAccessLog, (context) => exportLog(context)),
]

function filterOf({
  from,
  to,
  kind,
  by,
  q,
}: AccessLogQuery): Pick<Parameters<typeof readAccessLog>[1], 'from' | 'until' | 'kinds' | 'by' | 'text'> {
  if (from !== undefined && to !== undefined && to < from) throw new Refusal('invalid_request', 'Cannot use the query: to: is before from')
  return {
    ...(from !== undefined && { from: periodOfDays({ from, to: from }).start }),
    ...(to !== undefined && { until: periodOfDays({ from: to, to }).end }),
    ...(kind !== undefined && { kinds: kind }),
    ...(by !== undefined && { by }),
    ...(q !== undefined && q !== '' && { text: q }),
  }
}

async function check({ db, organizationId, signedHead }: OrganizationContext): Promise<AccessLogCheck> {
  const { head: _, ...found } = await checkChain(db, organizationId)
  const head = await signedHead(organizationId)
  return { ...found, ...(head !== undefined && { head }) }
}

/** As `ascribe audit export` writes it. The head is that of the last line that is in the file: lines come while it is being read, this one's too. */
async function exportLog({ db, organizationId, signedHead }: OrganizationContext): Promise<StreamReply> {
  const head = await signedHead(organizationId)
  let rows = 0
  async function* texts(): AsyncGenerator<string, void, undefined> {
    if (head === undefined) return
    for await (const line of exportChain(db, organizationId, head.sequence)) {
      rows += 1
      yield `${JSON.stringify(line)}\n`
    }
    yield `${JSON.stringify({ type: 'head', ...head })}\n`
  }
  return new StreamReply({
    contentType: 'application/jsonl; charset=utf-8',
    fileName: `access-log-${organizationId}.jsonl`,
    chunks: texts(),
    rows: () => rows,
  })
}
