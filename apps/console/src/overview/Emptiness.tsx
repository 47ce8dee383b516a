import type { ReactNode } from 'react'
import { formatDay } from '../format/dates.ts'
import { formatCount } from '../format/quantity.ts'
import { usePageHref } from '../navigation.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState } from '../ui/EmptyState.tsx'
import { Link } from '../ui/Link.tsx'
import { hasFilters } from './state.ts'
import type { OverviewState } from './state.ts'
import type { Overview } from './use-overview.ts'
import type { Shown } from './view-model.ts'

/** Why there is nothing to see, or nothing to pay. */
export type EmptinessKind = { readonly kind: 'new' | 'filters' | 'range' | 'zero'; readonly records: bigint | undefined }

type Facts = {
  readonly shown: Shown
  readonly state: OverviewState
  readonly records: bigint | undefined
  /** How many models there ever were. */
  readonly models: number | undefined
}

/** `undefined`: there is something to see. */
export function emptinessOf({ shown: { breakdown }, state, records, models }: Facts): EmptinessKind | undefined {
  const isZero = breakdown.series.every(({ total, byDay }) => total === 0n && [...(byDay?.values() ?? [])].every((value) => value === 0n))
  if (!isZero) return undefined
  if (breakdown.series.length > 0 || (state.metric === 'cost' && records !== undefined && records > 0n)) return { kind: 'zero', records }
  if (models === 0) return { kind: 'new', records }
  return { kind: hasFilters(state.filters) ? 'filters' : 'range', records }
}

export function Emptiness({ kind, records, overview }: EmptinessKind & { overview: Overview }): ReactNode {
  const href = usePageHref()
  const { state, set } = overview
  switch (kind) {
    case 'new':
      return (
        <EmptyState
          title="No usage yet."
          actions={
            <Link kind="primary" href={href({ page: 'start' })}>
              Getting started
            </Link>
          }
        >
          Costs appear here within minutes of the first request.
        </EmptyState>
      )
    case 'filters':
      return (
        <EmptyState title="Nothing matches these filters." actions={<Button onPress={() => set({ filters: {} })}>Clear filters</Button>}>
          There may be usage without them.
        </EmptyState>
      )
    case 'range':
      return (
        <EmptyState title={`No usage from ${formatDay(state.from)} to ${formatDay(state.to)}.`}>
          Choose other days to see earlier usage.
        </EmptyState>
      )
    case 'zero':
      return (
        <p className="ov-note">
          <strong>Usage without cost.</strong>{' '}
          {records === undefined || records === 0n
            ? 'Nothing in this range cost anything.'
            : `${formatCount(records)} ${records === 1n ? 'request' : 'requests'} in this range ${records === 1n ? 'was' : 'were'} free.`}
        </p>
      )
  }
}
