import { Suspense, lazy, useEffect, useMemo, useRef, useState } from 'react'
import type { ReactElement, ReactNode } from 'react'
import { getOrganization } from '@ascribe/contract/operations'
import { useRead } from '../api/queries.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { formatInstantLong, formatLocalHint, formatRange } from '../format/dates.ts'
import { usePageHref } from '../navigation.ts'
import { useServices } from '../shell/services.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { MenuButton } from '../ui/MenuButton.tsx'
import { Page } from '../ui/Page.tsx'
import { usePhone } from '../ui/use-media.ts'
import { Controls } from './Controls.tsx'
import type { ExportFormat } from './export-sum.ts'
import { DroppedNotice, PlanNotice, UnusedFilters } from './Notices.tsx'
import { OverviewBody } from './OverviewBody.tsx'
import { DIMENSIONS, DIMENSION_NAMES, dimensionWords, filtersOf } from './state.ts'
import { overviewSearch } from './url-state.ts'
import { useOverview } from './use-overview.ts'
import type { Overview } from './use-overview.ts'
import { questionOf, useReport } from './use-reports.ts'
import { useStanding } from './use-standing.ts'
import { isThisMonth, shownCosts, shownUsage } from './view-model.ts'
import type { Shown } from './view-model.ts'
import './overview.css'

const DrillDrawer = lazy(async () => ({ default: (await import('./drawer/DrillDrawer.tsx')).DrillDrawer }))
const ExportDialog = lazy(async () => ({ default: (await import('./export/ExportDialog.tsx')).ExportDialog }))

/** What an organization used and what it comes to. Everything that it shows stands in its address. */
export function OverviewPage(): ReactElement {
  const overview = useOverview()
  const { state, dropped, today } = overview
  const { now } = useServices()
  const organization = useRead(getOrganization)
  const isPhone = usePhone()
  const own = organization.data?.currency ?? 'USD'
  const standing = useStanding()
  const report = useReport(questionOf(state, state), state.metric, { keepsPrevious: true })
  const settled = useSettled(overview, report.isPlaceholderData)
  const shown = useShown(report.data, settled, own)
  const link = useLink(overview)
  const chartStop = useRef<HTMLDivElement>(null)
  // An address without a range means another one tomorrow; the page's own says which days it shows.
  const { set } = overview
  const hasRange = useHasRange()
  useEffect(() => {
    // What it said that meant nothing is told first: it stays until something else is asked for.
    if (!hasRange && dropped.length === 0) set({}, { replace: true })
  }, [hasRange, dropped.length, set])
  const asOf = shown?.asOf.ratedBefore
  const isOpen = state.day !== undefined || state.open.length > 0
  return (
    <Page
      title="Overview"
      asOf={asOf !== undefined && <span title={formatLocalHint(asOf)}>as of {formatInstantLong(asOf)}</span>}
      actions={
        <>
          <CopyButton text={link} label="Copy link" size="m" isIconOnly={isPhone} />
          <ExportMenu overview={overview} />
        </>
      }
    >
      <p className="print-only">
        {organization.data?.name} {organization.data?.id} · {paperText(state)}
      </p>
      <Controls
        overview={overview}
        hasChildren={(organization.data?.children.length ?? 0) > 0}
        meter={report.data?.usage?.meter}
        isLoading={report.isFetching && report.data !== undefined}
        currencies={shown?.totals.map(({ currency }) => currency) ?? []}
        currency={shown?.currency ?? own}
      />
      <DroppedNotice dropped={dropped} />
      {organization.data !== undefined && (
        <PlanNotice
          organization={organization.data}
          credits={standing.credits.data}
          isThisMonth={state.metric === 'cost' && isThisMonth(state, today)}
          now={now()}
        />
      )}
      <UnusedFilters unused={filtersOf(state.metric, state.filters).unused} />
      <OverviewBody overview={settled} report={report} shown={shown} own={own} standing={standing} today={today} chartStop={chartStop} />
      {isOpen && (
        <Suspense fallback={null}>
          <DrillDrawer
            overview={overview}
            link={link}
            currency={shown?.currency ?? own}
            returnFocus={() => (state.day === undefined ? null : chartStop.current)}
          />
        </Suspense>
      )}
    </Page>
  )
}

/** What the controls say, for paper. */
function paperText({ from, to, by, filters }: Overview['state']): string {
  const narrowed = DIMENSIONS.flatMap((name) => {
    const keys = filters[name]
    return keys === undefined ? [] : [`${DIMENSION_NAMES[name]}: ${keys.map((key) => (key === '' ? 'none' : key)).join(', ')}`]
  })
  return [formatRange(from, to), `by ${dimensionWords(by)}`, ...narrowed].join(' · ')
}

/**
 * The page as its numbers are: while the next ones are on their way, those before stay under the range, the grouping and the filters that they are
 * of. A change begins at what the address says, all the same.
 */
function useSettled(overview: Overview, isOnItsWay: boolean): Overview {
  const [settled, setSettled] = useState(overview.state)
  if (!isOnItsWay && settled !== overview.state) setSettled(overview.state)
  const { from, to, by, filters, metric, currency } = isOnItsWay ? settled : overview.state
  const state = useMemo(
    () => ({ ...overview.state, from, to, by, filters, metric, currency }),
    [overview.state, from, to, by, filters, metric, currency],
  )
  return { ...overview, state }
}

function useHasRange(): boolean {
  return new URLSearchParams(location.search).has('from')
}

function useShown(report: ReturnType<typeof useReport>['data'], { state }: Overview, own: string): Shown | undefined {
  return useMemo(() => {
    if (report?.costs !== undefined) return shownCosts(report.costs, state, { currency: state.currency, own })
    if (report?.usage !== undefined && state.metric !== 'cost') return shownUsage(report.usage, state.metric)
    return undefined
  }, [report, state, own])
}

/** The address of what is shown, for others: whole, with absolute days. */
function useLink({ state }: Overview): string {
  const href = usePageHref()
  return new URL(href({ page: 'overview', search: overviewSearch(state) }), location.origin).href
}

function ExportMenu({ overview }: { overview: Overview }): ReactNode {
  const { mayExport } = useConsoleConfig()
  const [format, setFormat] = useState<ExportFormat>()
  if (!mayExport) return null
  return (
    <>
      <MenuButton
        label="Export"
        icon="download"
        items={[
          { id: 'csv', label: 'CSV', onAction: () => setFormat('csv') },
          { id: 'focus', label: 'FOCUS 1.2', onAction: () => setFormat('focus') },
        ]}
      />
      {format !== undefined && (
        <Suspense fallback={null}>
          <ExportDialog state={overview.state} initial={format} onClose={() => setFormat(undefined)} />
        </Suspense>
      )}
    </>
  )
}
