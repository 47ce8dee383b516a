import type { ReactNode } from 'react'
import { listRecords } from '@ascribe/contract/operations'
import type { RecordJson } from '@ascribe/contract/reads'
import { faultOf } from '../../api/fault.ts'
import { useReadPages } from '../../api/queries.ts'
import { dayOfInstant, formatDayShort, formatTimeExact } from '../../format/dates.ts'
import { usePageHref } from '../../navigation.ts'
import { Button } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { ErrorBox } from '../../ui/ErrorBox.tsx'
import { Link } from '../../ui/Link.tsx'
import { Notice } from '../../ui/Notice.tsx'
import { Skeleton } from '../../ui/Skeleton.tsx'
import { MultiSelect } from '../../ui/Select.tsx'
import { Table } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import type { Range } from '../ranges.ts'
import { DIMENSIONS, dimensionWords } from '../state.ts'
import type { OverviewState, RecordFilter } from '../state.ts'
import { questionOf, useReport, useTokens } from '../use-reports.ts'
import { shownCosts } from '../view-model.ts'
import { Summary, tokensOf } from './Summary.tsx'
import { PROVENANCE_HINTS, STATE_WORDS, amountOfRecord, formatExactSmall, formatSmall, metersText } from './record-text.ts'

/** What records can be narrowed by: one has several meters' prices, and no category. */
const OF_RECORDS = ['apiKey', 'user', 'group', 'resource', 'region', 'model', 'meter'] as const
const PAGE_ROWS = 50

type Props = {
  state: OverviewState
  range: Range
  currency: string
  onOpen: (eventId: string) => void
  onNarrow: (records: RecordFilter) => void
}

/** The records behind a group, newest first, each with what it came to. */
export function RecordList(props: Props): ReactNode {
  const { state, range } = props
  const { filters, records } = state
  const narrowed = Object.fromEntries(OF_RECORDS.flatMap((name) => (filters[name] === undefined ? [] : [[name, filters[name]]])))
  const wanted = {
    ...(records.state.length > 0 && { state: records.state }),
    ...(records.provenance.length > 0 && { provenance: records.provenance }),
  }
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useReadPages(listRecords, {
    query: { from: range.from, to: range.to, limit: PAGE_ROWS, ...narrowed, ...wanted },
  })
  const unused = DIMENSIONS.filter((name) => filters[name] !== undefined && !OF_RECORDS.some((each) => each === name))
  if (error !== null && data === undefined) {
    const { message, requestId } = faultOf(error)
    return (
      <ErrorBox title="We could not load the records." requestId={requestId} onRetry={() => void refetch()}>
        {message}
      </ErrorBox>
    )
  }
  return (
    <>
      <Totals {...props} />
      <RecordFilters {...props} />
      {unused.length > 0 && (
        <Notice kind="info">
          Records have no {unused.map((name) => dimensionWords(name)).join(' and no ')}: all of this group are listed.
        </Notice>
      )}
      {isPending ? <Skeleton lines={8} /> : <Records {...props} rows={data.pages.flatMap((page) => page.data)} isAll={!hasNextPage} />}
      {hasNextPage && (
        <Button onPress={() => void fetchNextPage()} isPending={isFetchingNextPage}>
          Load more
        </Button>
      )}
    </>
  )
}

/** What all records of this step come to, whichever of them are listed. */
function Totals({ state, range, currency }: Props): ReactNode {
  const question = questionOf({ by: 'apiKey', filters: state.filters }, range)
  const { costs } = useReport(question, 'cost').data ?? {}
  const { byKey, records } = useTokens(question, true).data ?? {}
  const shown = costs && shownCosts(costs, range, { currency: state.currency, own: currency })
  return (
    <Summary
      amount={shown?.format.full(shown.breakdown.total)}
      exact={shown?.format.exact(shown.breakdown.total)}
      currency={shown?.currency}
      tokens={tokensOf(byKey)}
      records={records}
    />
  )
}

const STATES = (['charged', 'free', 'unpriced', 'unknown'] as const).map((id) => ({ id, label: STATE_WORDS[id] }))
const PROVENANCES = (['reported', 'continuous', 'estimated', 'unknown'] as const).map((id) => ({
  id,
  label: id,
  hint: PROVENANCE_HINTS[id],
}))

function RecordFilters({ state: { records }, onNarrow }: Props): ReactNode {
  return (
    <div className="ui-controls">
      <MultiSelect
        label="State:"
        size="s"
        options={STATES}
        values={records.state}
        onChange={(ids) => onNarrow({ ...records, state: STATES.map(({ id }) => id).filter((id) => ids.includes(id)) })}
      />
      <MultiSelect
        label="Provenance:"
        size="s"
        options={PROVENANCES}
        values={records.provenance}
        onChange={(ids) => onNarrow({ ...records, provenance: PROVENANCES.map(({ id }) => id).filter((id) => ids.includes(id)) })}
      />
    </div>
  )
}

function Records({ state, range, currency, onOpen, rows, isAll }: Props & { rows: readonly RecordJson[]; isAll: boolean }): ReactNode {
  const href = usePageHref()
  const isManyDays = range.from !== range.to
  if (rows.length === 0) {
    if (!isAll) return <p className="ov-note">None in the hours that were looked through so far.</p>
    if (state.records.state.length > 0 || state.records.provenance.length > 0) return <EmptyState title="No record is of this kind." />
    return (
      <EmptyState title="No request stands behind this.">
        It is charged by the month, or corrects an earlier one.{' '}
        <Link href={href({ page: 'statement', params: { invoice: range.from.slice(0, 7) } })}>Open the statement</Link> for its line.
      </EmptyState>
    )
  }
  return (
    <>
      <Table
        caption="Records, newest first"
        rows={rows}
        rowKey={({ event }) => event.event_id}
        // The drawer scrolls by itself.
        virtualFrom={Infinity}
        onOpen={({ event }) => onOpen(event.event_id)}
        columns={columnsOf({ currency: rows.find((row) => row.currency !== undefined)?.currency ?? currency, isManyDays, onOpen })}
      />
      <p className="ov-note">
        {rows.length} {rows.length === 1 ? 'record' : 'records'} shown, newest first.
      </p>
    </>
  )
}

type ColumnsInput = { readonly currency: string; readonly isManyDays: boolean; readonly onOpen: (eventId: string) => void }

function columnsOf({ currency, isManyDays, onOpen }: ColumnsInput): readonly Column<RecordJson>[] {
  return [
    {
      id: 'time',
      header: 'Time, UTC',
      cell: ({ event }) => (
        <button type="button" className="ui-link num" onClick={() => onOpen(event.event_id)}>
          {isManyDays && `${formatDayShort(dayOfInstant(event.started_unix_ms))} `}
          {formatTimeExact(event.started_unix_ms)}
        </button>
      ),
    },
    { id: 'outcome', header: 'Outcome', cell: ({ event }) => event.outcome.replace('_', ' '), isPhone: false },
    { id: 'used', header: 'Used', cell: (record) => <Used record={record} /> },
    { id: 'state', header: 'State', cell: ({ state: word }) => STATE_WORDS[word], isPhone: false },
    { id: 'amount', header: `Cost, ${currency}`, cell: (record) => <Amount record={record} currency={currency} />, isNumber: true },
  ]
}

function Used({ record: { event } }: { record: RecordJson }): ReactNode {
  if (event.provenance === 'unknown') return <span title={PROVENANCE_HINTS.unknown}>unknown</span>
  return (
    <span className={event.provenance === 'estimated' ? 'ui-estimated' : undefined} title={PROVENANCE_HINTS[event.provenance]}>
      {event.provenance === 'estimated' && '≈\u00a0'}
      {metersText(event.meters, event.model)}
    </span>
  )
}

/** What a record came to; what it has no amount for is said in words, never as 0. */
export function Amount({ record, currency }: { record: RecordJson; currency: string }): ReactNode {
  const amount = amountOfRecord(record)
  if (record.state === 'free') return '0.00'
  if (record.state !== 'charged') return STATE_WORDS[record.state]
  if (amount === undefined) return 'by the month'
  const isEstimated = record.event.provenance === 'estimated'
  return (
    <span className={isEstimated ? 'ui-estimated' : undefined} title={formatExactSmall(amount, record.currency ?? currency)}>
      {isEstimated && '≈\u00a0'}
      {formatSmall(amount, record.currency ?? currency)}
    </span>
  )
}
