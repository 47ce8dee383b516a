import type { ReactNode } from 'react'
import type { AsOf, CostDimension, RecordState } from '@ascribe/contract/reads'
import { formatDay, formatInstantLong } from '../format/dates.ts'
import { grouped } from '../format/digits.ts'
import { Button } from '../ui/Button.tsx'
import { Notice } from '../ui/Notice.tsx'
import { planWords } from './plan-words.ts'
import { RANGE_DAYS_MAX } from './ranges.ts'
import { dimensionWords } from './state.ts'
import type { Dropped } from './url-state.ts'

/** The hour that lasts is rated when it is over; later than this after it, something is behind. */
const STALE_MS = 2 * 3_600_000

const PARAMETERS: Readonly<Record<string, string>> = {
  from: 'date range',
  by: 'grouping',
  f: 'filters',
  metric: 'metric',
  view: 'view',
  cmp: 'comparison',
  sort: 'order',
  hide: 'hidden keys',
  cur: 'currency',
  day: 'day',
  open: 'open details',
  rec: 'record filter',
}

/** What of a pasted address meant nothing. */
export function DroppedNotice({ dropped }: { dropped: readonly Dropped[] }): ReactNode {
  if (dropped.length === 0) return null
  const range = dropped.find(({ name }) => name === 'from')
  const names = dropped.map(({ name }) => PARAMETERS[name] ?? name).join(', ')
  return (
    <Notice kind="warning">
      {range?.because === 'backwards' && <strong>This range ends before it starts. </strong>}
      {range?.because === 'too_long' && <strong>Ranges of up to {RANGE_DAYS_MAX} days can be shown. Export has no such limit. </strong>}
      This link holds values that we do not know: {names}. The page shows what it shows without them.
    </Notice>
  )
}

/** Filters that money has and quantities do not. */
export function UnusedFilters({ unused }: { unused: readonly CostDimension[] }): ReactNode {
  if (unused.length === 0) return null
  const names = unused.map((name) => dimensionWords(name)).join(' and ')
  return <Notice kind="info">Quantities have no {names}: that filter narrows cost alone.</Notice>
}

export type HeldCounts = { readonly unpriced: number; readonly unknown: number }

/** What is known to be in no number of the page. `held`: told apart, where the range is one month. */
export function DataNotices({
  asOf,
  now,
  held,
  partial,
  onShow,
}: {
  asOf: AsOf
  now: number
  held: HeldCounts | undefined
  partial: { readonly day: string; readonly until: string } | undefined
  /** Lists records of these states. */
  onShow: (states: readonly RecordState[]) => void
}): ReactNode {
  const behind = now - Date.parse(asOf.ratedBefore)
  return (
    <>
      {behind > STALE_MS && (
        <Notice kind="warning">
          Data as of {formatInstantLong(asOf.ratedBefore)}: {behindText(behind)} behind. Newer usage is safe and will appear.
        </Notice>
      )}
      {asOf.heldRecords > 0 && <Held count={asOf.heldRecords} held={held} onShow={onShow} />}
      {partial !== undefined && (
        <p className="ov-note">
          {formatDay(partial.day)} is partial: it counts until {partial.until}.
        </p>
      )}
    </>
  )
}

/** In minutes, hours or days, whichever says it. */
function behindText(ms: number): string {
  const hours = Math.floor(ms / 3_600_000)
  return hours < 3 ? `${Math.floor(ms / 60_000)} minutes` : hours < 72 ? `${hours} hours` : `${Math.floor(hours / 24)} days`
}

function Held({
  count,
  held,
  onShow,
}: {
  count: number
  held: HeldCounts | undefined
  onShow: (states: readonly RecordState[]) => void
}): ReactNode {
  const show = (...states: readonly RecordState[]): ReactNode => (
    <Button size="s" onPress={() => onShow(states)}>
      Show
    </Button>
  )
  const n = (value: number): string => grouped(String(value))
  if (held === undefined || held.unpriced + held.unknown !== count) {
    return (
      <Notice kind="warning" actions={show('unpriced', 'unknown')}>
        {n(count)} {count === 1 ? 'record is' : 'records are'} held aside: without a price, or of unknown quantity. They are in no total.
      </Notice>
    )
  }
  return (
    <>
      {held.unpriced > 0 && (
        <Notice kind="warning" actions={show('unpriced')}>
          {n(held.unpriced)} {held.unpriced === 1 ? 'record has' : 'records have'} no price yet. They are held aside and are in no total.
        </Notice>
      )}
      {held.unknown > 0 && (
        <Notice kind="info" actions={show('unknown')}>
          {n(held.unknown)} {held.unknown === 1 ? 'request was' : 'requests were'} served without reported usage: listed as unknown, not as
          zero.
        </Notice>
      )}
    </>
  )
}

/** How an organization stands, where that changes what its numbers mean. */
export function PlanNotice(props: Parameters<typeof planWords>[0]): ReactNode {
  return planWords(props).map(({ kind, text }) =>
    kind === 'note' ? (
      <p key={text} className="ov-note">
        {text}
      </p>
    ) : (
      <Notice key={text} kind={kind}>
        {text}
      </Notice>
    ),
  )
}
