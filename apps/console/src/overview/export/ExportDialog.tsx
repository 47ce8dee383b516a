import { useState } from 'react'
import type { ReactNode } from 'react'
import { getCosts } from '@ascribe/contract/operations'
import { faultOf } from '../../api/fault.ts'
import { useRead } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatRange } from '../../format/dates.ts'
import { grouped } from '../../format/digits.ts'
import { formatExact, nanoOf } from '../../format/money.ts'
import { formatBytes } from '../../format/quantity.ts'
import { Button } from '../../ui/Button.tsx'
import { Dialog, DialogActions } from '../../ui/Dialog.tsx'
import { ErrorBox } from '../../ui/ErrorBox.tsx'
import { RadioField } from '../../ui/Field.tsx'
import { Notice } from '../../ui/Notice.tsx'
import { Skeleton } from '../../ui/Skeleton.tsx'
import type { ExportFormat } from '../export-sum.ts'
import { DIMENSIONS, dimensionWords, hasFilters } from '../state.ts'
import type { OverviewState } from '../state.ts'
import { asksChildren } from '../use-reports.ts'
import { useExport } from './use-export.ts'
import type { ExportState } from './use-export.ts'

const FORMATS = [
  { id: 'csv', label: 'CSV', hint: 'Hourly charges with key, model, meter, quantity, rate and amount.' },
  { id: 'focus', label: 'FOCUS 1.2', hint: 'FinOps Open Cost and Usage Specification, for cost tools.' },
]

/** Takes away what the page shows, as a file that adds up to it. */
export function ExportDialog({ state, initial, onClose }: { state: OverviewState; initial: ExportFormat; onClose: () => void }): ReactNode {
  const { mode } = useConsoleConfig()
  const [format, setFormat] = useState<ExportFormat>(initial)
  const { from, to, by, filters } = state
  const query = { from, to, children: asksChildren(by, filters), ...filters }
  const { data, error } = useRead(getCosts, { query: { ...query, grain: 'total', groupBy: [] } }, { keepsPrevious: false })
  const { state: run, start, cancel } = useExport()
  const isRunning = run.kind === 'running'
  const close = (): void => {
    cancel()
    onClose()
  }
  return (
    <Dialog isOpen onClose={close} title="Export" size="s">
      <p>
        {formatRange(from, to)}
        {hasFilters(filters) && (
          <>
            , narrowed by{' '}
            {DIMENSIONS.filter((name) => filters[name] !== undefined)
              .map((name) => dimensionWords(name))
              .join(', ')}
          </>
        )}
      </p>
      <RadioField
        label="Format"
        name="format"
        options={FORMATS}
        value={format}
        onChange={(id) => setFormat(id === 'focus' ? 'focus' : 'csv')}
      />
      <div>
        <p className="ov-quiet">The file adds up to</p>
        {error !== null ? (
          <p>unknown: {faultOf(error).message || 'we could not load the total'}</p>
        ) : data === undefined ? (
          <Skeleton height={24} />
        ) : data.totals.length === 0 ? (
          <p>nothing: there are no charges in it</p>
        ) : (
          data.totals.map(({ currency, amount }) => (
            <p key={currency} className="ov-export-total">
              {formatExact(nanoOf(amount), currency)}
            </p>
          ))
        )}
      </div>
      {mode === 'operator' && <Notice kind="info">Each row is marked with your name and the request.</Notice>}
      <Progress run={run} />
      <DialogActions>
        {isRunning ? (
          <Button onPress={cancel}>Cancel export</Button>
        ) : (
          <Button kind="primary" icon="download" onPress={() => void start({ ...query, format })}>
            {run.kind === 'done' ? 'Export again' : `Export ${format === 'focus' ? 'FOCUS' : 'CSV'}`}
          </Button>
        )}
        <Button onPress={close}>Close</Button>
      </DialogActions>
    </Dialog>
  )
}

function Progress({ run }: { run: ExportState }): ReactNode {
  switch (run.kind) {
    case 'idle':
      return null
    case 'running':
      return (
        <div className="ov-progress" role="status">
          <progress aria-label="Export" />
          <p>
            {grouped(String(run.progress.rows))} rows, {formatBytes(run.bytes)}
          </p>
        </div>
      )
    case 'cancelled':
      return (
        <Notice kind="info" isLive>
          Cancelled. Nothing was saved.
        </Notice>
      )
    case 'failed': {
      const { message, requestId } = faultOf(run.error)
      return (
        <ErrorBox title="The export broke off." requestId={requestId}>
          Nothing was saved. {message}
        </ErrorBox>
      )
    }
    case 'done':
      return run.agrees ? (
        <Notice kind="success" isLive>
          Saved: {grouped(String(run.progress.rows))} rows, {formatBytes(run.bytes)}. They add up to {sumText(run)}, exactly what this page
          shows.
        </Notice>
      ) : (
        <Notice kind="warning" isLive>
          Saved: {grouped(String(run.progress.rows))} rows that add up to {sumText(run)}. Usage came in meanwhile: the report is now at{' '}
          {run.totals.map(({ currency, amount }) => formatExact(nanoOf(amount), currency)).join(', ')}.
        </Notice>
      )
  }
}

function sumText({ progress }: Extract<ExportState, { kind: 'done' }>): string {
  return [...progress.totals].map(([currency, amount]) => formatExact(amount, currency)).join(', ') || '0'
}
