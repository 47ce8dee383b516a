import type { ReactNode } from 'react'
import { faultOf } from '../api/fault.ts'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { ProgressLine } from '../ui/ProgressLine.tsx'
import { Skeleton } from '../ui/Skeleton.tsx'

/** What a query of TanStack has that matters for what is shown. */
export type Loadable<Data> = {
  readonly data: Data | undefined
  readonly error: unknown
  readonly isFetching: boolean
  readonly isFetchingNextPage?: boolean
  refetch(): unknown
}

/** A part of a page in each of its states: on its way, failed, failed but still there from before, and there. */
export function Loaded<Data>({
  query,
  what,
  height = 240,
  children,
}: {
  query: Loadable<Data>
  /** What could not be loaded: "the invoices". */
  what: string
  height?: number
  children: (data: Data) => ReactNode
}): ReactNode {
  const { data, error, isFetching, isFetchingNextPage = false } = query
  if (data === undefined && error === null) return <Skeleton height={height} label={`Loading ${what}`} />
  return (
    <>
      {error !== null && <FaultBox error={error} what={what} onRetry={() => void query.refetch()} hasData={data !== undefined} />}
      {data !== undefined && (
        <>
          <ProgressLine isActive={isFetching && !isFetchingNextPage} />
          {children(data)}
        </>
      )}
    </>
  )
}

/** A request that failed, in words: what, and what still holds. */
export function FaultBox({
  error,
  what,
  onRetry,
  hasData = false,
}: {
  error: unknown
  what: string
  onRetry?: () => void
  hasData?: boolean
}): ReactNode {
  const { kind, message, requestId } = faultOf(error)
  const still = hasData ? ' What is shown is from before.' : ''
  const common = { requestId, onRetry }
  switch (kind) {
    case 'not_found':
    case 'forbidden':
      return (
        <ErrorBox title="This does not exist or is not open to you." requestId={requestId}>
          Check the link, or ask an administrator of your organization.
        </ErrorBox>
      )
    case 'offline':
      return (
        <ErrorBox title={`We could not load ${what}: you are offline.`} {...common}>
          {still}
        </ErrorBox>
      )
    case 'limited':
      return (
        <ErrorBox title="Too many requests just now." {...common}>
          {still}
        </ErrorBox>
      )
    case 'audit_unavailable':
      return (
        <ErrorBox title="The access log cannot be written, so no data is shown." {...common}>
          Try again soon.
        </ErrorBox>
      )
    case 'invalid':
    case 'conflict':
      return (
        <ErrorBox title={`We could not load ${what}.`} {...common}>
          {message}
          {still}
        </ErrorBox>
      )
    default:
      return (
        <ErrorBox title={`We could not load ${what}.`} {...common}>
          Something failed on our side.{still}
        </ErrorBox>
      )
  }
}

/** A change that was not made. */
export function WriteFault({ error, what }: { error: unknown; what: string }): ReactNode {
  if (error === null || error === undefined) return null
  const { kind, message, requestId } = faultOf(error)
  const because =
    kind === 'offline'
      ? 'We cannot reach the server.'
      : kind === 'internal'
        ? 'Something failed on our side. Nothing was changed.'
        : message
  return (
    <ErrorBox title={`We could not ${what}.`} requestId={requestId}>
      {because}
    </ErrorBox>
  )
}
