import type { ReactElement } from 'react'
import type { Fault } from '../api/fault.ts'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { MessagePage, MissingPage } from './ErrorPages.tsx'

/** When not even the frame of a page can be had. */
export function FaultPage({ fault, onRetry }: { fault: Fault; onRetry: () => void }): ReactElement {
  const { kind, requestId, message } = fault
  switch (kind) {
    case 'not_found':
      return <MissingPage requestId={requestId} />
    case 'offline':
      return (
        <MessagePage title="Offline">
          <ErrorBox title="We cannot reach the server." onRetry={onRetry}>
            Check your connection.
          </ErrorBox>
        </MessagePage>
      )
    case 'audit_unavailable':
      return (
        <MessagePage title="Not available">
          <ErrorBox title="The access log cannot be written, so no data is shown." requestId={requestId} onRetry={onRetry}>
            Try again soon.
          </ErrorBox>
        </MessagePage>
      )
    case 'limited':
      return (
        <MessagePage title="Too many requests">
          <ErrorBox title="Too many requests just now." requestId={requestId} onRetry={onRetry} />
        </MessagePage>
      )
    default:
      return (
        <MessagePage title="Something failed">
          <ErrorBox title="Something failed on our side." requestId={requestId} onRetry={onRetry}>
            {message}
          </ErrorBox>
        </MessagePage>
      )
  }
}
