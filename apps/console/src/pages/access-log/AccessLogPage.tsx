import { useState } from 'react'
import type { ReactNode } from 'react'
import { exportAccessLog, getAccessLog, verifyAccessLog } from '@ascribe/contract/operations'
import type { AccessLogQuery } from '@ascribe/contract/writes'
import { useApi } from '../../api/context.tsx'
import { useRead, useReadPages } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { addDays } from '../../format/dates.ts'
import { usePageHref, useSearchState } from '../../navigation.ts'
import { oneOf, optionalDay, optionalText } from '../../search-params.ts'
import type { SearchFields } from '../../search-params.ts'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { DateRangePicker } from '../../ui/DateRangePicker.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { Link } from '../../ui/Link.tsx'
import { Page } from '../../ui/Page.tsx'
import { Select } from '../../ui/Select.tsx'
import { Dropped } from '../Dropped.tsx'
import { FaultBox, Loaded } from '../Loaded.tsx'
import { LoadMore } from '../LoadMore.tsx'
import { saveBlob } from '../csv.ts'
import { lastDays, useToday } from '../use-today.ts'
import { CheckPanel } from './CheckPanel.tsx'
import { LogList } from './LogList.tsx'
import { entriesOf } from './entries.ts'
import '../pages.css'
import './access-log.css'

const SHOWN = ['all', 'view-as', 'act-as', 'changes', 'refused'] as const
type Shown = (typeof SHOWN)[number]
type State = { readonly from: string | undefined; readonly to: string | undefined; readonly what: Shown; readonly q: string | undefined }
const FIELDS: SearchFields<State> = { from: optionalDay(), to: optionalDay(), what: oneOf(SHOWN, 'all'), q: optionalText() }

/** What each choice is in the words of the API. */
const QUERIES: Readonly<Record<Shown, Partial<AccessLogQuery>>> = {
  all: {},
  'view-as': { by: ['operator'] },
  'act-as': { kind: ['act', 'mint'] },
  changes: { kind: ['write', 'write_end', 'support', 'admin', 'erasure'] },
  refused: { kind: ['refusal'] },
}

const PAGE = 200
const DAYS_SHOWN = 90

/** Who acted on our behalf, when, why, and what they opened. */
export function AccessLogPage(): ReactNode {
  const { state, set, dropped } = useSearchState(FIELDS)
  const { provider, mode, mayExport } = useConsoleConfig()
  const [isChecking, setChecking] = useState(false)
  const query: Partial<AccessLogQuery> = {
    limit: PAGE,
    ...QUERIES[state.what],
    ...(state.from !== undefined && { from: state.from }),
    ...(state.to !== undefined && { to: state.to }),
    ...(state.q !== undefined && { q: state.q }),
  }
  const log = useReadPages(getAccessLog, { query })
  const check = useRead(verifyAccessLog, {}, { enabled: isChecking, staleTime: 0, keepsPrevious: false })
  const lines = log.data?.pages.flatMap((page) => [...page.data])
  const isFiltered = state.what !== 'all' || state.q !== undefined || state.from !== undefined || state.to !== undefined
  const verify = (): void => {
    if (isChecking) void check.refetch()
    setChecking(true)
  }
  return (
    <Page
      title="Access log"
      actions={
        <>
          <Button icon="shield" onPress={verify}>
            Verify
          </Button>
          {mayExport && <ExportLog />}
        </>
      }
    >
      <About provider={provider} isOperator={mode === 'operator'} />
      <Dropped names={dropped} />
      {isChecking && <CheckPanel check={check} onClose={() => setChecking(false)} />}
      <Filters state={state} onChange={set} />
      <Loaded query={{ ...log, data: lines }} what="the access log" height={400}>
        {(found) =>
          found.length === 0 && !log.hasNextPage ? (
            <Card isFlush>
              {isFiltered ? (
                <EmptyState
                  title="Nothing matches these filters."
                  actions={
                    <Button onPress={() => set({ from: undefined, to: undefined, what: 'all', q: undefined })}>Clear filters</Button>
                  }
                />
              ) : (
                <EmptyState title="Nobody has viewed this organization.">Whoever does is named here, with a reason.</EmptyState>
              )}
            </Card>
          ) : (
            <>
              <Card isFlush aria-label="Entries">
                <LogList entries={entriesOf(found)} />
              </Card>
              <LoadMore
                shown={found.length}
                what={found.length === 1 ? 'entry' : 'entries'}
                hasMore={log.hasNextPage}
                isLoading={log.isFetchingNextPage}
                onMore={() => void log.fetchNextPage()}
              />
            </>
          )
        }
      </Loaded>
    </Page>
  )
}

function About({ provider, isOperator }: { provider: string; isOperator: boolean }): ReactNode {
  const href = usePageHref()
  if (isOperator) return <p className="ui-lead">The customer reads these entries. What you open now is one of them.</p>
  return (
    <p className="ui-lead">
      People at {provider} can view these pages as you, with a reason, for at most 60 minutes. They cannot change anything; you read it
      here. <Link href={href({ page: 'support' })}>Support access</Link> says whether they have to ask first.
    </p>
  )
}

function Filters({
  state,
  onChange,
}: {
  state: State
  onChange: (change: Partial<State>, options?: { replace?: boolean }) => void
}): ReactNode {
  const today = useToday()
  const range = { from: state.from ?? addDays(today, 1 - DAYS_SHOWN), to: state.to ?? today }
  const hasRange = state.from !== undefined || state.to !== undefined
  return (
    <div className="ui-controls">
      <label className="ui-search">
        <span className="ui-hidden">Who, reason or ticket</span>
        <Icon name="search" />
        <input
          className="ui-input"
          type="search"
          placeholder="Who, reason or ticket"
          value={state.q ?? ''}
          onChange={(event) => onChange({ q: event.target.value === '' ? undefined : event.target.value }, { replace: true })}
        />
      </label>
      <Select
        label="Show"
        value={state.what}
        onChange={(what) => onChange({ what: SHOWN.find((each) => each === what) ?? 'all' })}
        options={[
          { id: 'all', label: 'everything' },
          { id: 'view-as', label: 'view as', hint: 'People of the provider who looked' },
          { id: 'act-as', label: 'act as', hint: 'Machines that did something for you' },
          { id: 'changes', label: 'changes', hint: 'By your members, keys and the provider' },
          { id: 'refused', label: 'refused' },
        ]}
      />
      {hasRange ? (
        <>
          <DateRangePicker
            value={range}
            onChange={onChange}
            max={today}
            presets={[
              { id: '7', label: 'Last 7 days', ...lastDays(today, 7) },
              { id: '30', label: 'Last 30 days', ...lastDays(today, 30) },
              { id: '90', label: 'Last 90 days', ...lastDays(today, DAYS_SHOWN) },
            ]}
          />
          <Button kind="quiet" icon="close" onPress={() => onChange({ from: undefined, to: undefined })}>
            All dates
          </Button>
        </>
      ) : (
        <Button icon="calendar" onPress={() => onChange(lastDays(today, 30))}>
          All dates
        </Button>
      )}
    </div>
  )
}

/** The whole log as a file that is checked anywhere. */
function ExportLog(): ReactNode {
  const api = useApi()
  const [state, setState] = useState<{ isRunning: boolean; error: unknown }>({ isRunning: false, error: null })
  const run = (): void => {
    setState({ isRunning: true, error: null })
    void api
      .open(exportAccessLog)
      .then((reply) => reply.blob())
      .then(
        (blob) => {
          saveBlob(`access-log-${api.organizationId}.jsonl`, blob)
          setState({ isRunning: false, error: null })
        },
        (error: unknown) => setState({ isRunning: false, error }),
      )
  }
  return (
    <>
      <Button icon="download" isPending={state.isRunning} onPress={run}>
        Export
      </Button>
      {state.error !== null && <FaultBox error={state.error} what="the export" onRetry={run} />}
    </>
  )
}
