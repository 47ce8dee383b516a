import { Suspense, lazy } from 'react'
import type { ReactNode } from 'react'
import { formatRange } from '../format/dates.ts'
import { Button } from './Button.tsx'
import type { DateRange, DateRangeBody, DateRangeOptions } from './DateRangeBody.tsx'
import { useLazyPopover } from './use-lazy-popover.ts'

export type { DateRange } from './DateRangeBody.tsx'

const load = async (): Promise<{ default: typeof DateRangeBody }> => ({
  default: (await import('./DateRangeBody.tsx')).DateRangeBody,
})
const Body = lazy(load)

/** UTC days, both ends included. The calendar is fetched when somebody comes near. */
export function DateRangePicker({
  label = 'Date range',
  ...options
}: DateRangeOptions & { label?: string; value: DateRange; onChange: (value: DateRange) => void }): ReactNode {
  const { isOpen, setOpen, trigger, triggerProps } = useLazyPopover(load)
  const shown = formatRange(options.value.from, options.value.to)
  return (
    <>
      <Button {...triggerProps} icon="calendar" trailingIcon="chevron-down" aria-haspopup="dialog" aria-label={`${label}: ${shown}`}>
        {shown}
      </Button>
      {isOpen && (
        <Suspense fallback={null}>
          <Body {...options} label={label} trigger={trigger} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  )
}
