import { useState } from 'react'
import type { ReactNode } from 'react'
import { listMachines } from '@ascribe/contract/operations'
import type { MachineJson, MachinesPage as MachinesReply } from '@ascribe/contract/reads'
import { useConsoleConfig } from '../../config-context.tsx'
import { addDays, formatRangeShort, monthRange } from '../../format/dates.ts'
import { useSearchState } from '../../navigation.ts'
import { oneOf, optionalDay, optionalText } from '../../search-params.ts'
import type { SearchFields } from '../../search-params.ts'
import { Money } from '../../ui/Amounts.tsx'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { DateRangePicker } from '../../ui/DateRangePicker.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { Notice } from '../../ui/Notice.tsx'
import { Page } from '../../ui/Page.tsx'
import { Select } from '../../ui/Select.tsx'
import { Dropped } from '../Dropped.tsx'
import { Loaded } from '../Loaded.tsx'
import { isZero } from '../amounts.ts'
import { useAllPages } from '../use-all-pages.ts'
import { lastDays, useToday } from '../use-today.ts'
import { MachinesTable } from './MachinesTable.tsx'
import { selectMachines } from './machine-view.ts'
import '../pages.css'
import './machines.css'

const STATES = ['all', 'running', 'stopped', 'deleted'] as const
type State = {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly q: string | undefined
  readonly owner: string | undefined
  readonly region: string | undefined
  readonly state: (typeof STATES)[number]
}
const FIELDS: SearchFields<State> = {
  from: optionalDay(),
  to: optionalDay(),
  q: optionalText(),
  owner: optionalText(),
  region: optionalText(),
  state: oneOf(STATES, 'all'),
}

/** Machines in whose account they are, what they used and what that costs; and what the cloud bills by itself. */
export function MachinesPage(): ReactNode {
  const { state, set, dropped } = useSearchState(FIELDS)
  const today = useToday()
  const range = { from: state.from ?? monthRange(today).from, to: state.to ?? today }
  const machines = useAllPages(listMachines, {
    query: { ...range, limit: 500, ...(state.state !== 'all' && { state: [state.state] }) },
  })
  return (
    <Page title="Virtual machines" asOf={formatRangeShort(range.from, range.to)}>
      <Dropped names={dropped} />
      <Loaded query={machines} what="the virtual machines" height={360}>
        {(all) => (
          <>
            <Filters all={all} state={state} range={range} today={today} onChange={set} />
            <Found all={all} page={machines.first} isWhole={machines.isWhole} state={state} range={range} onChange={set} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

type Change = (change: Partial<State>, options?: { readonly replace?: boolean }) => void
type Range = { readonly from: string; readonly to: string }

function Filters({
  all,
  state,
  range,
  today,
  onChange,
}: {
  all: readonly MachineJson[]
  state: State
  range: Range
  today: string
  onChange: Change
}): ReactNode {
  const choices = (values: readonly (string | undefined)[]): { id: string; label: string }[] => [
    { id: '', label: 'any' },
    ...[...new Set(values.filter((value) => value !== undefined))].toSorted().map((id) => ({ id, label: id })),
  ]
  const last = addDays(monthRange(today).from, -1)
  return (
    <div className="ui-controls">
      <label className="ui-search">
        <span className="ui-hidden">Search virtual machines</span>
        <Icon name="search" />
        <input
          className="ui-input"
          type="search"
          placeholder="Search"
          value={state.q ?? ''}
          onChange={(event) => onChange({ q: event.target.value === '' ? undefined : event.target.value }, { replace: true })}
        />
      </label>
      <Select
        label="Owner"
        value={state.owner ?? ''}
        onChange={(owner) => onChange({ owner: owner === '' ? undefined : owner })}
        options={choices([state.owner, ...all.map(({ owner }) => owner)])}
        isSearchable
      />
      <Select
        label="Region"
        value={state.region ?? ''}
        onChange={(region) => onChange({ region: region === '' ? undefined : region })}
        options={choices([state.region, ...all.map(({ region }) => region)])}
      />
      <Select
        label="State"
        value={state.state}
        onChange={(next) => onChange({ state: STATES.find((each) => each === next) ?? 'all' })}
        options={[
          { id: 'all', label: 'any' },
          { id: 'running', label: 'Running' },
          { id: 'stopped', label: 'Stopped' },
          { id: 'deleted', label: 'Deleted' },
        ]}
      />
      <DateRangePicker
        value={range}
        onChange={onChange}
        max={today}
        presets={[
          { id: 'month', label: 'This month', from: monthRange(today).from, to: today },
          { id: 'last', label: 'Last month', ...monthRange(last) },
          { id: '7', label: 'Last 7 days', ...lastDays(today, 7) },
          { id: '30', label: 'Last 30 days', ...lastDays(today, 30) },
        ]}
      />
    </div>
  )
}

function Found({
  all,
  page,
  isWhole,
  state,
  range,
  onChange,
}: {
  all: readonly MachineJson[]
  page: MachinesReply | undefined
  isWhole: boolean
  state: State
  range: Range
  onChange: Change
}): ReactNode {
  const { provider } = useConsoleConfig()
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set())
  const isFiltered = state.q !== undefined || state.owner !== undefined || state.region !== undefined || state.state !== 'all'
  const found = selectMachines(all, { search: state.q ?? '', owner: state.owner }).filter(
    ({ region }) => state.region === undefined || region === state.region,
  )
  if (found.length === 0)
    return (
      <Card isFlush>
        {isFiltered ? (
          <EmptyState
            title="Nothing matches these filters."
            actions={
              <Button onPress={() => onChange({ q: undefined, owner: undefined, region: undefined, state: 'all' })}>Clear filters</Button>
            }
          />
        ) : (
          <EmptyState title="No virtual machines in this range.">
            Machines that a cluster of yours makes in your cloud accounts stand here, with who made them.
          </EmptyState>
        )}
      </Card>
    )
  const currency = page?.currency ?? 'USD'
  const held = all.reduce((sum, machine) => sum + machine.held, 0)
  return (
    <>
      {page !== undefined && (
        <div className="machines-sums">
          <Card title="Part of what is due">
            <strong className="machines-figure">
              <Money amount={page.amount} currency={currency} withCurrency />
            </strong>
            <p className="pages-small">Of machines in the account of {provider}, all of this range.</p>
          </Card>
          <Card title="Billed by the cloud itself">
            <strong className="machines-figure">
              <Money amount={page.memo} currency={currency} withCurrency />
            </strong>
            <p className="pages-small">
              A memo at list prices, for machines in your own cloud accounts. It is in no total and on no invoice of {provider}.
            </p>
          </Card>
        </div>
      )}
      {held > 0 && (
        <Notice kind="warning">
          {held === 1 ? '1 record of these machines has' : `${held} records of these machines have`} no price yet: held aside, and in
          neither sum.
        </Notice>
      )}
      <Card isFlush aria-label="Virtual machines">
        <MachinesTable
          machines={found}
          currency={currency}
          range={range}
          expanded={open}
          onExpand={(key, isOpen) => {
            const next = new Set(open)
            if (isOpen) next.add(key)
            else next.delete(key)
            setOpen(next)
          }}
          hasMemo={found.some(({ memo }) => !isZero(memo))}
        />
      </Card>
      <p className="pages-small" role="status">
        {found.length} of {all.length} machines{isWhole ? '' : ' that have been loaded so far'}
      </p>
    </>
  )
}
