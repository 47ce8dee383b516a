import { useState } from 'react'
import type { ReactNode } from 'react'
import type { CostDimension } from '@ascribe/contract/reads'
import { faultOf } from '../../api/fault.ts'
import { NOTHING } from '../../format/digits.ts'
import { formatCount, formatCountExact } from '../../format/quantity.ts'
import { formatShare } from '../../format/share.ts'
import { useServices } from '../../shell/services.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { ErrorBox } from '../../ui/ErrorBox.tsx'
import { Skeleton } from '../../ui/Skeleton.tsx'
import { Button } from '../../ui/Button.tsx'
import { Table } from '../../ui/Table.tsx'
import { Swatch } from '../chart/Swatch.tsx'
import { labelOf } from '../labels.ts'
import { lookOf } from '../look.ts'
import type { Range } from '../ranges.ts'
import { DIMENSION_NAMES, dimensionWords } from '../state.ts'
import type { OverviewState } from '../state.ts'
import { questionOf, useCatalogue, useReport, useTokens } from '../use-reports.ts'
import { dayStates, shownCosts, shownUsage } from '../view-model.ts'
import { Summary, tokensOf } from './Summary.tsx'

type Props = {
  state: OverviewState
  range: Range
  by: CostDimension
  currency: string
  onOpen: (key: string) => void
}

/** The drawer scrolls by itself, so that its rows are all in the document: so many at a time. */
const STEP_ROWS = 200

/** A range by one dimension: the next step of the way down. Amounts are those of the chart. */
export function GroupList({ state, range, by, currency, onOpen }: Props): ReactNode {
  const { metric } = state
  const now = useServices().now()
  const [most, setMost] = useState(STEP_ROWS)
  const question = questionOf({ by, filters: state.filters }, range)
  const report = useReport(question, metric)
  const tokens = useTokens(question, metric === 'cost')
  const { catalogue } = useCatalogue(by)
  if (report.error !== null) {
    const { message, requestId } = faultOf(report.error)
    return (
      <ErrorBox title="We could not load this day." requestId={requestId} onRetry={() => void report.refetch()}>
        {message}
      </ErrorBox>
    )
  }
  const { costs, usage } = report.data ?? {}
  if (report.isPlaceholderData || (costs === undefined && usage === undefined)) return <Skeleton lines={6} />
  const shown =
    costs !== undefined
      ? shownCosts(costs, range, { currency: state.currency, own: currency })
      : usage !== undefined && metric !== 'cost'
        ? shownUsage(usage, metric)
        : undefined
  if (shown === undefined) return null
  const { breakdown, format } = shown
  if (breakdown.series.length === 0) {
    const isWaiting = dayStates(shown, now).every((each) => each === 'waiting' || each === 'future')
    return (
      <EmptyState title={isWaiting ? 'No data received yet.' : 'No usage here.'}>
        {isWaiting ? 'Newer usage is safe and will appear.' : 'Nothing was used or charged in this time.'}
      </EmptyState>
    )
  }
  const label = (key: string): string => labelOf(by, key, catalogue.names)
  const { byKey, records } = tokens.data ?? { byKey: undefined, records: undefined }
  return (
    <>
      <Summary
        amount={format.full(breakdown.total)}
        exact={format.exact(breakdown.total)}
        currency={shown.currency}
        tokens={metric === 'cost' ? tokensOf(byKey) : undefined}
        records={records}
      />
      <Table
        caption={`${format.title} by ${dimensionWords(by)}`}
        rows={breakdown.series.slice(0, most)}
        virtualFrom={Infinity}
        rowKey={({ key }) => key}
        onOpen={({ key }) => onOpen(key)}
        columns={[
          {
            id: 'name',
            header: DIMENSION_NAMES[by],
            cell: ({ key }) => (
              <span className="ov-name">
                <Swatch look={lookOf(key, catalogue.order)} />
                <button type="button" className="ui-link ov-label" title={key} onClick={() => onOpen(key)}>
                  {label(key)}
                </button>
              </span>
            ),
            foot: 'Total',
          },
          ...(byKey === undefined
            ? []
            : [
                {
                  id: 'tokens',
                  header: 'Tokens',
                  cell: ({ key }: { readonly key: string }) => {
                    const count = byKey.get(key) ?? 0n
                    return count === 0n ? NOTHING : <span title={formatCountExact(count)}>{formatCount(count)}</span>
                  },
                  isNumber: true,
                  isPhone: false,
                },
              ]),
          { id: 'share', header: 'Share', cell: ({ total }) => formatShare(total, breakdown.total), isNumber: true },
          {
            id: 'amount',
            header: format.title,
            cell: ({ total }) => <span title={format.exact(total)}>{format.cell(total)}</span>,
            isNumber: true,
            foot: <span title={format.exact(breakdown.total)}>{format.cell(breakdown.total)}</span>,
          },
        ]}
      />
      {breakdown.series.length > most && (
        <>
          <p className="ov-note">
            {formatCountExact(BigInt(most))} of {formatCountExact(BigInt(breakdown.series.length))} shown, largest first; the total is of
            all.
          </p>
          <Button onPress={() => setMost(most + STEP_ROWS)}>Show more</Button>
        </>
      )}
    </>
  )
}
