import type { ReactNode } from 'react'
import { formatTime } from '../../format/dates.ts'
import { Badge } from '../../ui/Badge.tsx'
import type { InvoiceRowState } from './rows.ts'

/** Where an invoice stands; of a month that goes on, until when it counts. */
export function InvoiceStatus({ status, asOf }: { status: InvoiceRowState; asOf?: string | undefined }): ReactNode {
  switch (status) {
    case 'open_month':
      return <Badge kind="neutral">Draft{asOf === undefined ? '' : `, as of ${formatTime(asOf)}`}</Badge>
    case 'not_invoiced':
      return <Badge kind="neutral">Closed, no invoice yet</Badge>
    case 'draft':
      return <Badge kind="neutral">Draft</Badge>
    case 'issued':
      return <Badge kind="info">Open</Badge>
    case 'paid':
      return <Badge kind="success">Paid</Badge>
    default:
      return <Badge kind="danger">Void</Badge>
  }
}
