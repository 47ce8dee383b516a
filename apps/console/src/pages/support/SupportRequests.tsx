import type { ReactNode } from 'react'
import { approveSupportRequest, listSupportRequests, refuseSupportRequest, revokeSupportRequest } from '@ascribe/contract/operations'
import type { SupportRequestJson } from '@ascribe/contract/writes'
import { useMayWrite } from '../../api/context.tsx'
import { useReadPages, useWrite } from '../../api/queries.ts'
import { formatInstantLong } from '../../format/dates.ts'
import { DateText } from '../../ui/Amounts.tsx'
import { Badge } from '../../ui/Badge.tsx'
import type { BadgeKind } from '../../ui/Badge.tsx'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Table } from '../../ui/Table.tsx'
import { Loaded, WriteFault } from '../Loaded.tsx'
import { LoadMore } from '../LoadMore.tsx'

const STATES: Readonly<Record<SupportRequestJson['state'], { readonly word: string; readonly kind: BadgeKind }>> = {
  pending: { word: 'Waits for you', kind: 'warning' },
  approved: { word: 'Approved', kind: 'success' },
  refused: { word: 'Refused', kind: 'neutral' },
  revoked: { word: 'Taken back', kind: 'neutral' },
  lapsed: { word: 'Lapsed', kind: 'neutral' },
}

/** Who asked to look, why, and what became of it. */
export function SupportRequests(): ReactNode {
  const requests = useReadPages(listSupportRequests, { query: { limit: 100 } })
  const mayWrite = useMayWrite()
  const approve = useWrite(approveSupportRequest)
  const refuse = useWrite(refuseSupportRequest)
  const revoke = useWrite(revokeSupportRequest)
  const found = requests.data?.pages.flatMap((page) => [...page.data])
  const isPending = approve.isPending || refuse.isPending || revoke.isPending
  const decide = {
    approve: (id: string) => approve.mutate(of(id)),
    refuse: (id: string) => refuse.mutate(of(id)),
    revoke: (id: string) => revoke.mutate(of(id)),
  }
  return (
    <Loaded query={{ ...requests, data: found }} what="the requests" height={200}>
      {(rows) => (
        <Card isFlush title="Requests">
          <WriteFault error={approve.error ?? refuse.error ?? revoke.error} what="decide the request" />
          {rows.length === 0 ? (
            <EmptyState title="No requests.">Where support has to ask, its requests stand here for you to decide.</EmptyState>
          ) : (
            <>
              <Table<SupportRequestJson>
                caption="Requests, newest first"
                rows={rows}
                rowKey={({ id }) => id}
                columns={[
                  {
                    id: 'who',
                    header: 'Who and why',
                    cell: ({ operator, reason, ticket, minutes }) => (
                      <span>
                        {operator}
                        <span className="pages-sub">
                          “{reason}” · {ticket} · {minutes} minutes
                        </span>
                      </span>
                    ),
                  },
                  { id: 'asked', header: 'Asked', isPhone: false, cell: ({ requestedAt }) => <DateText at={requestedAt} /> },
                  {
                    id: 'state',
                    header: 'State',
                    cell: (request) => (
                      <span>
                        <Badge kind={STATES[request.state].kind}>{STATES[request.state].word}</Badge>
                        <span className="pages-sub">{decidedText(request)}</span>
                      </span>
                    ),
                  },
                  ...(mayWrite
                    ? [
                        {
                          id: 'decide',
                          header: <span className="ui-hidden">Decide</span>,
                          title: 'Decide',
                          isPhone: false,
                          cell: (request: SupportRequestJson) => <Decide request={request} isPending={isPending} {...decide} />,
                        },
                      ]
                    : []),
                ]}
              />
              {requests.hasNextPage && (
                <LoadMore
                  shown={rows.length}
                  what="requests"
                  hasMore
                  isLoading={requests.isFetchingNextPage}
                  onMore={() => void requests.fetchNextPage()}
                />
              )}
            </>
          )}
        </Card>
      )}
    </Loaded>
  )
}

function of(requestId: string): { readonly params: { readonly requestId: string } } {
  return { params: { requestId } }
}

function decidedText({ state, until, decidedAt, decidedBy }: SupportRequestJson): string {
  const by = decidedBy === undefined ? '' : ` by ${decidedBy.replace(/^user:/, '')}`
  if (state === 'approved' && until !== undefined) return `until ${formatInstantLong(until)}${by}`
  return decidedAt === undefined ? '' : `${formatInstantLong(decidedAt)}${by}`
}

function Decide({
  request: { id, state, operator },
  isPending,
  approve,
  refuse,
  revoke,
}: {
  request: SupportRequestJson
  isPending: boolean
  approve: (id: string) => void
  refuse: (id: string) => void
  revoke: (id: string) => void
}): ReactNode {
  if (state === 'pending')
    return (
      <span className="ui-actions">
        <Button
          size="s"
          kind="primary"
          isDisabled={isPending}
          onPress={() => approve(id)}
          aria-label={`Approve the request of ${operator}`}
        >
          Approve
        </Button>
        <Button size="s" isDisabled={isPending} onPress={() => refuse(id)} aria-label={`Refuse the request of ${operator}`}>
          Refuse
        </Button>
      </span>
    )
  if (state !== 'approved') return null
  return (
    <Button size="s" kind="danger" isDisabled={isPending} onPress={() => revoke(id)} aria-label={`Take back the approval of ${operator}`}>
      Take back
    </Button>
  )
}
