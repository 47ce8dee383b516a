import { parseDate } from '@internationalized/date'
import { useState } from 'react'
import type { ReactNode, RefObject } from 'react'
import { I18nProvider } from 'react-aria-components/I18nProvider'
import { Dialog, Popover } from 'react-aria-components/Popover'
import {
  Button as AriaButton,
  CalendarCell,
  CalendarGrid,
  CalendarGridBody,
  CalendarGridHeader,
  CalendarHeaderCell,
  Heading,
  RangeCalendar,
} from 'react-aria-components/RangeCalendar'
import { daysBetween, formatRange, parseDay } from '../format/dates.ts'
import { Button } from './Button.tsx'
import { Form } from './Form.tsx'
import { Icon } from './Icon.tsx'
import { TextField } from './Field.tsx'
import './overlays.css'

/** UTC days as the API writes them, both included. */
export type DateRange = { readonly from: string; readonly to: string }
export type DatePreset = DateRange & { readonly id: string; readonly label: string }

export type DateRangeOptions = {
  value: DateRange
  onChange: (value: DateRange) => void
  presets?: readonly DatePreset[]
  min?: string
  max?: string
  /** Longer ranges are refused with a sentence. */
  maxDays?: number
}

/** Presets, two fields for whoever types, and a calendar. Nothing changes before Apply, but for presets. */
export function DateRangeBody({
  value,
  onChange,
  presets = [],
  min,
  max,
  maxDays,
  label,
  trigger,
  onClose,
}: DateRangeOptions & { label: string; trigger: RefObject<HTMLElement | null>; onClose: () => void }): ReactNode {
  const [draft, setDraft] = useState(value)
  const [tried, setTried] = useState(0)
  const problem = problemOf(draft, {
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(maxDays !== undefined && { maxDays }),
  })
  const isShown = tried > 0 && problem !== undefined
  const choose = (range: DateRange): void => {
    onChange({ from: range.from, to: range.to })
    onClose()
  }
  const apply = (): void => {
    setTried(tried + 1)
    if (problem === undefined) choose(draft)
  }
  return (
    <Popover
      className="ui-popover ui-range"
      triggerRef={trigger}
      isOpen
      placement="bottom start"
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose()
      }}
    >
      <Dialog aria-label={label} className="ui-range-body">
        {presets.length > 0 && (
          <div className="ui-range-presets">
            {presets.map((preset) => {
              const isCurrent = preset.from === value.from && preset.to === value.to
              return (
                <AriaButton
                  key={preset.id}
                  className="ui-range-preset"
                  {...(isCurrent && { 'aria-current': true as const })}
                  onPress={() => choose(preset)}
                >
                  {preset.label}
                </AriaButton>
              )
            })}
          </div>
        )}
        <Form onSubmit={apply} label={label}>
          <div className="ui-range-fields">
            <TextField
              label="From"
              name="from"
              value={draft.from}
              onChange={(from) => setDraft({ ...draft, from })}
              placeholder="YYYY-MM-DD"
            />
            <TextField label="To" name="to" value={draft.to} onChange={(to) => setDraft({ ...draft, to })} placeholder="YYYY-MM-DD" />
          </div>
          <Calendar draft={draft} onChange={setDraft} {...(min !== undefined && { min })} {...(max !== undefined && { max })} />
          {isShown && (
            <p className="ui-field-error" role="alert">
              {problem}
            </p>
          )}
          <div className="ui-range-foot">
            <span className="ui-hint">{problem === undefined ? formatRange(draft.from, draft.to) : 'Days are UTC, both included.'}</span>
            <Button type="submit" kind="primary" size="s">
              Apply
            </Button>
          </div>
        </Form>
      </Dialog>
    </Popover>
  )
}

type Bounds = { readonly min?: string; readonly max?: string; readonly maxDays?: number }

function problemOf({ from, to }: DateRange, { min, max, maxDays }: Bounds): string | undefined {
  if (parseDay(from) === undefined || parseDay(to) === undefined) return 'Write both days as YYYY-MM-DD.'
  if (to < from) return 'This range ends before it starts.'
  if (max !== undefined && from > max) return 'This range has not begun.'
  if (min !== undefined && to < min) return `Nothing is kept from before ${min}.`
  if (maxDays !== undefined && daysBetween(from, to) > maxDays) return `Ranges of up to ${maxDays} days can be shown.`
  return undefined
}

function Calendar({
  draft,
  onChange,
  min,
  max,
}: {
  draft: DateRange
  onChange: (range: DateRange) => void
  min?: string
  max?: string
}): ReactNode {
  const isRange = parseDay(draft.from) !== undefined && parseDay(draft.to) !== undefined && draft.from <= draft.to
  return (
    // Months and weekdays as on the rest of the page, and weeks that begin on Monday (ISO 8601), wherever the browser is.
    <I18nProvider locale="en-GB">
      <RangeCalendar
        className="ui-calendar"
        aria-label="Days"
        value={isRange ? { start: parseDate(draft.from), end: parseDate(draft.to) } : null}
        {...(isRange && { defaultFocusedValue: parseDate(draft.to) })}
        {...(min !== undefined && { minValue: parseDate(min) })}
        {...(max !== undefined && { maxValue: parseDate(max) })}
        onChange={(range) => onChange({ from: range.start.toString(), to: range.end.toString() })}
      >
        <header>
          <AriaButton slot="previous" className="ui-button ui-icon-button ui-quiet">
            <span className="ui-flip">
              <Icon name="chevron-right" />
            </span>
          </AriaButton>
          <Heading />
          <AriaButton slot="next" className="ui-button ui-icon-button ui-quiet">
            <Icon name="chevron-right" />
          </AriaButton>
        </header>
        <CalendarGrid weekdayStyle="short">
          <CalendarGridHeader>{(day) => <CalendarHeaderCell>{day}</CalendarHeaderCell>}</CalendarGridHeader>
          <CalendarGridBody>{(date) => <CalendarCell date={date} className="ui-calendar-day" />}</CalendarGridBody>
        </CalendarGrid>
      </RangeCalendar>
    </I18nProvider>
  )
}
