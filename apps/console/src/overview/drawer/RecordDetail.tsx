import type { ReactNode } from 'react'
import { getRecord } from '@ascribe/contract/operations'
import type { RecordChargeJson, RecordJson } from '@ascribe/contract/reads'
import { parseDecimal } from '@ascribe/units'
import { faultOf } from '../../api/fault.ts'
import { useRead } from '../../api/queries.ts'
import { dayOfInstant, formatDay, formatTimeExact } from '../../format/dates.ts'
import { formatUnitPrice, meterWords } from '../../format/money.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ErrorBox } from '../../ui/ErrorBox.tsx'
import { Skeleton } from '../../ui/Skeleton.tsx'
import { Table } from '../../ui/Table.tsx'
import { Amount } from './RecordList.tsx'
import { PROVENANCE_HINTS, STATE_WORDS, formatExactSmall, formatSmall, quantityText } from './record-text.ts'

const PLACES = 18

/** One record: what was used, at which price, and by which ids it is found again. */
export function RecordDetail({ id }: { id: string }): ReactNode {
  const { data, error, isPlaceholderData, refetch } = useRead(getRecord, { params: { record: id } })
  if (error !== null) {
    const { kind, message, requestId } = faultOf(error)
    return (
      <ErrorBox
        title={kind === 'not_found' ? 'This record does not exist or is not open to you.' : 'We could not load this record.'}
        requestId={requestId}
        onRetry={kind === 'not_found' ? undefined : () => void refetch()}
      >
        {kind === 'not_found' ? 'Check the link.' : message}
      </ErrorBox>
    )
  }
  if (data === undefined || isPlaceholderData) return <Skeleton lines={8} />
  return <Detail record={data} />
}

function Detail({ record }: { record: RecordJson }): ReactNode {
  const { event, charges } = record
  const currency = record.currency ?? ''
  return (
    <>
      <p className="ov-summary">
        <strong className="num">
          <Amount record={record} currency={currency} />
        </strong>{' '}
        {currency} · {STATE_WORDS[record.state]} · <span title={PROVENANCE_HINTS[event.provenance]}>{event.provenance}</span>
      </p>
      {charges.length > 0 && (
        <Table
          caption="Meters and the prices that were applied"
          rows={charges}
          rowKey={({ meter }) => meter}
          columns={[
            { id: 'meter', header: 'Meter', cell: ({ meter }) => meterWords(meter) },
            {
              id: 'quantity',
              header: 'Quantity',
              cell: ({ meter, quantity }) => quantityText({ model: event.model, meter }, BigInt(quantity)),
              isNumber: true,
            },
            { id: 'price', header: 'Price applied', cell: (charge) => <Price charge={charge} currency={currency} /> },
            {
              id: 'amount',
              header: `Cost, ${currency}`,
              cell: (charge) => <ChargeAmount charge={charge} currency={currency} />,
              isNumber: true,
            },
          ]}
        />
      )}
      {charges.length === 0 && <p className="ov-note">{PROVENANCE_HINTS[event.provenance]}</p>}
      <dl className="ov-facts">
        <Fact name="Model" value={event.model ?? 'unknown'} />
        <Fact name="Outcome" value={event.outcome.replace('_', ' ')} />
        <Fact name="Admitted" value={instant(event.started_unix_ms)} />
        <Fact name="Ended" value={instant(event.timestamp_unix_ms)} />
        <Fact name="API key" value={event.auth_id} isId />
        <Fact name="Resource" value={event.resource_id} isId />
        <Fact name="Request id" value={event.request_id} isId />
        <Fact name="Record id" value={event.event_id} isId />
      </dl>
    </>
  )
}

/** Of one unit, where it stands in the book, and since when it holds. */
function Price({ charge: { meter, price }, currency }: { charge: RecordChargeJson; currency: string }): ReactNode {
  // Of machines too it is for one hour: the API says the price of what the meter's name says, and the quantity in what is counted.
  const { rate } = price
  return (
    <>
      {rate === undefined ? (price.description ?? 'by the total of the month') : formatUnitPrice(rate, { currency, meter })}
      <span className="ov-under">
        book {price.version},{' '}
        {price.effectiveFrom === undefined ? 'from the beginning' : `in force since ${formatDay(price.effectiveFrom.slice(0, 10))}`}
        {price.own && ', your own price'}
      </span>
    </>
  )
}

function ChargeAmount({ charge: { amount }, currency }: { charge: RecordChargeJson; currency: string }): ReactNode {
  const value = amount === undefined ? undefined : parseDecimal(amount, PLACES)
  if (typeof value !== 'bigint') return 'by the month'
  return <span title={formatExactSmall(value, currency)}>{formatSmall(value, currency)}</span>
}

function Fact({ name, value, isId = false }: { name: string; value: string; isId?: boolean }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={isId ? 'id' : undefined}>
        {value}
        {isId && <CopyButton text={value} label={`Copy ${name}`} isIconOnly />}
      </dd>
    </div>
  )
}

function instant(at: number): string {
  return `${formatDay(dayOfInstant(at))}, ${formatTimeExact(at)} UTC`
}
