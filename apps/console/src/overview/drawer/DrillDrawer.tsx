import type { ReactNode } from 'react'
import { Fragment } from 'react'
import type { CostDimension } from '@ascribe/contract/reads'
import { formatDayLong, formatRange } from '../../format/dates.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Drawer } from '../../ui/Drawer.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { filtersOfSteps, levelOf } from '../drill.ts'
import { labelOf } from '../labels.ts'
import type { Range } from '../ranges.ts'
import type { Step } from '../state.ts'
import type { Overview } from '../use-overview.ts'
import { useCatalogue } from '../use-reports.ts'
import { GroupList } from './GroupList.tsx'
import { RecordDetail } from './RecordDetail.tsx'
import { RecordList } from './RecordList.tsx'

type Props = {
  overview: Overview
  link: string
  currency: string
  /** Where focus goes when the drawer closes: the bar that it was opened from. */
  returnFocus: () => HTMLElement | null
}

/** The way down from a day, or from the whole range, to one record and the price that was applied. Each step is an address. */
export function DrillDrawer({ overview, link, currency, returnFocus }: Props): ReactNode {
  const { state, set } = overview
  const { day, open } = state
  const range: Range = day === undefined ? state : { from: day, to: day }
  const title = day === undefined ? formatRange(range.from, range.to) : formatDayLong(day)
  const level = levelOf(state.by, open)
  const narrowed = { ...state, filters: filtersOfSteps(state.filters, open) }
  const go = (steps: readonly Step[]): void => set({ open: steps, day })
  const close = (): void => set({ day: undefined, open: [], records: { state: [], provenance: [] } })
  return (
    <Drawer
      title={<Way title={title} steps={open} onGo={go} />}
      label={`${title} ${open.map(({ key }) => key).join(' ')}`}
      actions={<CopyButton text={link} label="Copy link" />}
      onClose={close}
      returnFocus={returnFocus}
    >
      <div className="ov-drawer">
        {level.kind === 'groups' && (
          <GroupList
            key={level.by}
            state={narrowed}
            range={range}
            by={level.by}
            currency={currency}
            onOpen={(key) => go([...open, { at: level.by, key }])}
          />
        )}
        {level.kind === 'records' && (
          <RecordList
            state={narrowed}
            range={range}
            currency={currency}
            onOpen={(key) => go([...open, { at: 'record', key }])}
            onNarrow={(records) => set({ records })}
          />
        )}
        {level.kind === 'record' && <RecordDetail id={level.id} />}
      </div>
    </Drawer>
  )
}

/** Where one is: every step but the last leads back to it. */
function Way({ title, steps, onGo }: { title: string; steps: readonly Step[]; onGo: (steps: readonly Step[]) => void }): ReactNode {
  return (
    <span className="ov-way">
      {steps.length === 0 ? (
        title
      ) : (
        <button type="button" className="ui-link" onClick={() => onGo([])}>
          {title}
        </button>
      )}
      {steps.map((step, index) => (
        <Fragment key={step.at}>
          <Icon name="chevron-right" size={12} />
          {index === steps.length - 1 ? (
            <StepName step={step} />
          ) : (
            <button type="button" className="ui-link" onClick={() => onGo(steps.slice(0, index + 1))}>
              <StepName step={step} />
            </button>
          )}
        </Fragment>
      ))}
    </span>
  )
}

function StepName({ step }: { step: Step }): ReactNode {
  if (step.at === 'record') return <>Record</>
  if (step.at === 'records') return <>Records</>
  return <KeyName by={step.at} value={step.key} />
}

function KeyName({ by, value }: { by: CostDimension; value: string }): ReactNode {
  const { catalogue } = useCatalogue(by)
  return <span title={value}>{labelOf(by, value, catalogue.names)}</span>
}
