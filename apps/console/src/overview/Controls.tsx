import { useEffect, useRef, useState } from 'react'
import type { ReactNode } from 'react'
import type { CostDimension } from '@ascribe/contract/reads'
import { formatRangeShort } from '../format/dates.ts'
import { Button } from '../ui/Button.tsx'
import { DateRangePicker } from '../ui/DateRangePicker.tsx'
import { IconButton } from '../ui/IconButton.tsx'
import { MenuButton } from '../ui/MenuButton.tsx'
import { ProgressLine } from '../ui/ProgressLine.tsx'
import { Segmented } from '../ui/Segmented.tsx'
import { MultiSelect, Select } from '../ui/Select.tsx'
import { usePhone } from '../ui/use-media.ts'
import { labelOf } from './labels.ts'
import { isOfMetric } from './load.ts'
import { meterWords } from '../format/money.ts'
import { RANGE_DAYS_MAX, comparisonOf, presetsOf } from './ranges.ts'
import { DIMENSIONS, DIMENSION_NAMES, DIMENSION_PLURALS, hasFilters, withFilter } from './state.ts'
import type { Comparison, Metric, OverviewState, View } from './state.ts'
import { useCatalogue } from './use-reports.ts'
import type { Overview } from './use-overview.ts'

const METRICS: readonly { readonly id: Metric; readonly label: string }[] = [
  { id: 'cost', label: 'Cost' },
  { id: 'tokens', label: 'Tokens' },
  { id: 'hours', label: 'Hours' },
]
const VIEWS: readonly { readonly id: View; readonly label: string }[] = [
  { id: 'daily', label: 'Daily' },
  { id: 'cumulative', label: 'Cumulative' },
]

type Props = {
  overview: Overview
  hasChildren: boolean
  currencies: readonly string[]
  /** The one that is shown. */
  currency: string
  /** Which meter of hours is shown. */
  meter: string | undefined
  /** The next answer is on its way. */
  isLoading: boolean
}

/** What the page shows: range, grouping, filters, and of what. */
export function Controls({ overview, hasChildren, currencies, currency, meter, isLoading }: Props): ReactNode {
  const { state, set, today } = overview
  const dimensions = DIMENSIONS.filter((name) => hasChildren || name !== 'organization' || state.by === name)
  return (
    <div className="ov-controls" role="group" aria-label="What is shown">
      <ProgressLine isActive={isLoading} />
      <div className="ui-controls">
        <DateRangePicker
          value={{ from: state.from, to: state.to }}
          onChange={({ from, to }) => set({ from, to, day: undefined, open: [] })}
          presets={presetsOf(today)}
          max={today}
          maxDays={RANGE_DAYS_MAX}
        />
        <Select
          label="Group by"
          value={state.by}
          options={dimensions.map((id) => ({ id, label: DIMENSION_NAMES[id] }))}
          onChange={(id) => set({ by: DIMENSIONS.find((each) => each === id) ?? 'model', hidden: [], day: undefined, open: [] })}
        />
        <Filters overview={overview} dimensions={dimensions} />
      </div>
      <div className="ui-controls">
        <OneOf label="Metric" options={METRICS} value={state.metric} onChange={(metric) => set({ metric })} />
        {state.metric === 'hours' && <HourMeter overview={overview} meter={meter} />}
        <OneOf label="View" options={VIEWS} value={state.view} onChange={(view) => set({ view })} />
        <Select
          label="Compare:"
          value={state.compare}
          options={comparisons(state)}
          onChange={(id) => set({ compare: (['previous', 'year', 'none'] as const).find((each) => each === id) ?? 'none' })}
        />
        {currencies.length > 1 && (
          <Select
            label="Currency"
            value={currency}
            options={currencies.map((id) => ({ id, label: id }))}
            onChange={(id) => set({ currency: id })}
          />
        )}
      </div>
    </div>
  )
}

/** All in sight; on a phone, where they would take a line each, one of a list. */
function OneOf<Value extends string>(props: {
  label: string
  options: readonly { readonly id: Value; readonly label: string }[]
  value: Value
  onChange: (value: Value) => void
}): ReactNode {
  const { label, options, value, onChange } = props
  if (!usePhone()) return <Segmented {...props} />
  return (
    <Select
      label={label}
      isLabelHidden
      options={options}
      value={value}
      onChange={(id) => {
        const chosen = options.find((option) => option.id === id)
        if (chosen !== undefined) onChange(chosen.id)
      }}
    />
  )
}

/** Hours of two meters have no sum, so one of them is shown. */
function HourMeter({ overview: { state, set }, meter }: { overview: Overview; meter: string | undefined }): ReactNode {
  const { entries } = useCatalogue('meter')
  const meters = entries.map(({ key }) => key).filter((key) => isOfMetric(key, 'hours'))
  if (meters.length < 2 || meter === undefined) return null
  return (
    <Select
      label="of"
      value={meter}
      options={meters.map((id) => ({ id, label: meterWords(id) }))}
      onChange={(id) => set({ filters: withFilter(state.filters, 'meter', [id]) })}
    />
  )
}

function comparisons({ from, to }: OverviewState) {
  const named = (comparison: Comparison): string => {
    const range = comparisonOf({ from, to }, comparison)
    return range === undefined ? '' : formatRangeShort(range.from, range.to)
  }
  return [
    { id: 'previous', label: 'previous period', hint: named('previous') },
    { id: 'year', label: 'a year before', hint: named('year') },
    { id: 'none', label: 'nothing' },
  ]
}

/** One chip for each dimension that is narrowed, and a way to one more. */
function Filters({ overview, dimensions }: { overview: Overview; dimensions: readonly CostDimension[] }): ReactNode {
  const { state, set } = overview
  const { filters } = state
  // Chosen from the menu, and no key of it yet: nothing to keep in the address.
  const [pending, setPending] = useState<CostDimension>()
  const active = DIMENSIONS.filter((name) => filters[name] !== undefined)
  const shown = pending !== undefined && !active.includes(pending) ? [...active, pending] : active
  const change = (name: CostDimension, keys: readonly string[]): void => {
    if (keys.length > 0) setPending(undefined)
    set({ filters: withFilter(filters, name, keys), day: undefined, open: [] })
  }
  const rest = dimensions.filter((name) => !shown.includes(name))
  return (
    <>
      {shown.map((name) => (
        <FilterChip
          key={name}
          dimension={name}
          keys={filters[name] ?? []}
          isNew={name === pending && !active.includes(name)}
          onChange={(keys) => change(name, keys)}
          onRemove={() => {
            setPending(undefined)
            if (filters[name] !== undefined) change(name, [])
          }}
        />
      ))}
      {rest.length > 0 && (
        <MenuButton
          icon="plus"
          kind="quiet"
          label="Filter"
          items={rest.map((name) => ({ id: name, label: DIMENSION_NAMES[name], onAction: () => setPending(name) }))}
        />
      )}
      {hasFilters(filters) && (
        <Button kind="quiet" onPress={() => set({ filters: {}, day: undefined, open: [] })}>
          Clear filters
        </Button>
      )}
    </>
  )
}

type ChipProps = {
  dimension: CostDimension
  keys: readonly string[]
  /** Just chosen: its list opens by itself. */
  isNew: boolean
  onChange: (keys: readonly string[]) => void
  onRemove: () => void
}

/** Categories are few and known; they have no catalogue. */
const CATEGORIES = ['usage', 'tier', 'package', 'included', 'minimum', 'commitment', 'adjustment']
/** Selections of React Aria have no empty id. */
const NO_KEY_ID = '\u0000none'

function FilterChip({ dimension, keys, isNew, onChange, onRemove }: ChipProps): ReactNode {
  const { catalogue, entries } = useCatalogue(dimension)
  const box = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    if (isNew) box.current?.querySelector('button')?.click()
  }, [isNew])
  const known = dimension === 'category' ? CATEGORIES : entries.map(({ key }) => key)
  const all = [
    ...new Set([...known, ...keys, ...(dimension === 'category' || dimension === 'organization' || dimension === 'region' ? [] : [''])]),
  ]
  const options = all.map((key) => {
    const label = labelOf(dimension, key, catalogue.names)
    return { id: key === '' ? NO_KEY_ID : key, label, ...(label !== key && key !== '' && { hint: key }) }
  })
  return (
    <span className="ov-chip" ref={box}>
      <MultiSelect
        label={`${DIMENSION_NAMES[dimension]}:`}
        options={options}
        values={keys.map((key) => (key === '' ? NO_KEY_ID : key))}
        onChange={(ids) => onChange(ids.map((id) => (id === NO_KEY_ID ? '' : id)))}
        isSearchable={options.length > 8}
        {...(keys.length > 2 && { summary: `${keys.length} ${DIMENSION_PLURALS[dimension]}` })}
      />
      <IconButton icon="close" label={`Remove filter ${DIMENSION_NAMES[dimension]}`} onPress={onRemove} />
    </span>
  )
}
