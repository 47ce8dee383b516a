import type { UseQueryResult } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import type { ReactNode, RefObject } from 'react'
import { getStatement } from '@ascribe/contract/operations'
import { faultOf } from '../api/fault.ts'
import { useRead } from '../api/queries.ts'
import { formatRange, formatRangeShort, monthRange } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import { useServices } from '../shell/services.tsx'
import { Button } from '../ui/Button.tsx'
import { Card } from '../ui/Card.tsx'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { Skeleton } from '../ui/Skeleton.tsx'
import { usePhone } from '../ui/use-media.ts'
import { BreakdownTable, TABLE_ID } from './BreakdownTable.tsx'
import { Chart } from './chart/Chart.tsx'
import { Key } from './chart/Key.tsx'
import { Patterns } from './chart/Swatch.tsx'
import { Emptiness, emptinessOf } from './Emptiness.tsx'
import { FigureRow, StandingRow } from './FigureRow.tsx'
import { DataNotices } from './Notices.tsx'
import { OTHER_KEY } from './stack.ts'
import { DIMENSION_PLURALS, isOfUsage } from './state.ts'
import type { Step } from './state.ts'
import { rowsOf, totalRow } from './table-rows.ts'
import { untilText, useOverviewModel } from './use-overview-model.ts'
import type { OverviewModel } from './use-overview-model.ts'
import type { Overview } from './use-overview.ts'
import type { Report } from './use-reports.ts'
import type { Standing } from './use-standing.ts'
import { missesTotal } from './view-model.ts'
import type { Shown } from './view-model.ts'

type Props = {
  overview: Overview
  report: UseQueryResult<Report>
  shown: Shown | undefined
  /** The organization's currency. */
  own: string
  standing: Standing
  today: Day
  chartStop: RefObject<HTMLDivElement | null>
}

/** Figures, chart and table of what was asked for; or why there are none. */
export function OverviewBody(props: Props): ReactNode {
  const { report, shown } = props
  const isPhone = usePhone()
  if (shown === undefined && report.error !== null) {
    return (
      <>
        <Failed report={report} />
        <StandingRow overview={props.overview} own={props.own} standing={props.standing} />
      </>
    )
  }
  // Of the height that the page will have: what is below does not jump.
  if (shown === undefined) return <Skeleton height={isPhone ? 640 : 720} label="Loading costs" />
  return (
    <>
      {report.error !== null && <Failed report={report} />}
      <Loaded {...props} shown={shown} />
    </>
  )
}

function Failed({ report }: { report: UseQueryResult<Report> }): ReactNode {
  const { kind, message, requestId } = faultOf(report.error)
  return (
    <ErrorBox
      title={kind === 'invalid' ? 'This range cannot be shown.' : 'We could not load the daily costs.'}
      requestId={requestId}
      onRetry={() => void report.refetch()}
    >
      {message} {kind !== 'invalid' && 'What stands below is complete; invoices are not touched by this.'}
    </ErrorBox>
  )
}

function Loaded({ overview, shown, own, standing, today, chartStop }: Props & { shown: Shown }): ReactNode {
  const { set } = overview
  const { now } = useServices()
  const model = useOverviewModel({ overview, shown, own, standing, now: now() })
  const partialDay = shown.breakdown.days[model.states.lastIndexOf('partial')]
  const held = useHeld(overview, shown)
  return (
    <>
      <Patterns />
      <FigureRow overview={overview} shown={shown} model={model} standing={standing} today={today} />
      <ChartAndTable overview={overview} shown={shown} model={model} chartStop={chartStop}>
        <DataNotices
          asOf={shown.asOf}
          now={now()}
          held={held}
          onShow={(each) => set({ day: undefined, open: [{ at: 'records', key: '' }], records: { state: each, provenance: [] } })}
          partial={
            partialDay === undefined || shown.breakdown.series.length === 0
              ? undefined
              : { day: partialDay, until: untilText(shown.asOf.ratedBefore, today) }
          }
        />
      </ChartAndTable>
      {missesTotal(shown.breakdown, shown.format) && <p className="ov-note">Rows are rounded; the total is exact.</p>}
    </>
  )
}

type SidesProps = { overview: Overview; shown: Shown; model: OverviewModel; chartStop: Props['chartStop']; children: ReactNode }

/** The two that show the same: what is pointed at in the table stands out in the chart. `children` stand between them. */
function ChartAndTable({ overview, shown, model, chartStop, children }: SidesProps): ReactNode {
  const { state, set } = overview
  const [hovered, setHovered] = useState<string>()
  const emptiness = emptinessOf({ shown, state, records: model.tokens.data?.records, models: model.models })
  const isCounting = state.metric === 'cost' && isOfUsage(state.by) && model.tokens.isPending
  const { before, stack } = model
  const tokens = model.tokens.data?.byKey
  const rows = useMemo(() => rowsOf(stack, { before, tokens }), [stack, before, tokens])
  const total = useMemo(() => totalRow(shown.breakdown, { before, tokens }), [shown.breakdown, before, tokens])
  // Thousands of rows are not made again because one of them is pointed at.
  const table = useMemo(
    () =>
      shown.breakdown.series.length > 0 && (
        <Card isFlush aria-label="Breakdown">
          <BreakdownTable
            rows={rows}
            total={total}
            days={shown.breakdown.days}
            by={state.by}
            format={shown.format}
            isMoney={state.metric === 'cost'}
            isCompared={state.compare !== 'none'}
            isCounting={isCounting}
            state={state}
            labelOf={model.labelOf}
            lookOf={model.lookOf}
            onSort={(sort) => set({ sort }, { replace: true })}
            onHide={(hidden) => set({ hidden }, { replace: true })}
            onOpen={({ key }) => key !== OTHER_KEY && set({ day: undefined, open: [{ at: state.by, key } satisfies Step] })}
            // A finger that has left a row still counts as over it.
            onHover={(key) => setHovered(window.matchMedia('(hover: hover)').matches ? key : undefined)}
          />
        </Card>
      ),
    [rows, total, shown, state, model, isCounting, set],
  )
  return (
    <>
      <Card aria-label="Chart">
        {(emptiness === undefined || emptiness.kind === 'zero') && (
          <>
            <Chart
              model={model.chart}
              caption={captionOf(model, shown, overview)}
              tableId={TABLE_ID}
              emphasis={emphasisOf(hovered, model, state.hidden)}
              onOpenDay={(index) => {
                const day = shown.breakdown.days[index]
                if (day !== undefined) set({ day, open: [] })
              }}
              stopRef={chartStop}
            />
            <Key model={model.chart} before={model.compared && formatRangeShort(model.compared.from, model.compared.to)} />
          </>
        )}
        {/* Whether nothing was used, or nothing was paid for it, is not known before usage is counted. */}
        {emptiness !== undefined &&
          (emptiness.kind !== 'zero' && state.metric === 'cost' && model.tokens.isPending ? (
            <Skeleton height={160} />
          ) : (
            <Emptiness {...emptiness} overview={overview} />
          ))}
        {state.hidden.length > 0 && (
          <p className="ov-note">
            {state.hidden.length} hidden, total includes them.{' '}
            <Button kind="quiet" size="s" onPress={() => set({ hidden: [] }, { replace: true })}>
              Show all
            </Button>
          </p>
        )}
      </Card>
      {children}
      {table}
    </>
  )
}

/** Which of the chart's keys a row of the table is; `undefined`: Other, `null`: none that is drawn. */
function emphasisOf(hovered: string | undefined, { stack }: OverviewModel, hidden: readonly string[]): string | undefined | null {
  if (hovered === undefined) return null
  const key = stack.shown.some((each) => each.key === hovered) ? hovered : OTHER_KEY
  if (hidden.includes(key)) return null
  return key === OTHER_KEY ? undefined : key
}

/** Held records told apart, where the range is of one month: the statement counts them. */
function useHeld({ state }: Overview, { asOf }: Shown) {
  const month = state.from.slice(0, 7)
  const { from, to } = monthRange(state.from)
  const { data } = useRead(getStatement, { query: { month } }, { enabled: asOf.heldRecords > 0 && state.from === from && state.to <= to })
  return asOf.heldRecords > 0 ? data?.held : undefined
}

function captionOf({ stack, labelOf }: OverviewModel, { breakdown, format }: Shown, { state }: Overview): string {
  const top = stack.shown.slice(0, 3).map(({ key, total }) => `${labelOf(key)} ${format.full(total)}`)
  const most = top.length === 0 ? '' : `; most: ${top.join(', ')}`
  return `${format.title} by day and ${DIMENSION_PLURALS[state.by]}, ${formatRange(state.from, state.to)}: ${format.full(breakdown.total)}${most}`
}
