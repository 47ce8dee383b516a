import { Suspense, lazy } from 'react'
import type { ReactNode } from 'react'
import { Button } from './Button.tsx'
import type { OptionList, SelectOption } from './OptionList.tsx'
import { useLazyPopover } from './use-lazy-popover.ts'

const load = async (): Promise<{ default: typeof OptionList }> => ({
  default: (await import('./OptionList.tsx')).OptionList,
})
const List = lazy(load)

type Common = {
  /** Stands before the value: "Group by". */
  label: string
  /** The label is only read out. */
  isLabelHidden?: boolean
  options: readonly SelectOption[]
  size?: 's' | 'm'
  isSearchable?: boolean
  isDisabled?: boolean
}

/** A button that names what is chosen and opens the list of what can be. */
export function Select({ value, onChange, ...common }: Common & { value: string; onChange: (id: string) => void }): ReactNode {
  const chosen = common.options.find(({ id }) => id === value)?.label ?? value
  return (
    <Chooser
      {...common}
      shown={chosen}
      values={[value]}
      isMultiple={false}
      onChange={(ids) => {
        const [id] = ids
        if (id !== undefined) onChange(id)
      }}
    />
  )
}

/** The same for several at once. */
export function MultiSelect({
  values,
  onChange,
  summary,
  ...common
}: Common & {
  values: readonly string[]
  onChange: (ids: readonly string[]) => void
  /** What the button says instead of the first of the chosen. */
  summary?: string
}): ReactNode {
  const first = common.options.find(({ id }) => id === values[0])?.label ?? values[0]
  const shown = summary ?? (first === undefined ? 'any' : values.length === 1 ? first : `${first} and ${values.length - 1} more`)
  return <Chooser {...common} shown={shown} values={values} isMultiple onChange={onChange} />
}

function Chooser({
  label,
  isLabelHidden = false,
  options,
  size = 'm',
  isSearchable = false,
  isDisabled = false,
  shown,
  values,
  isMultiple,
  onChange,
}: Common & {
  shown: string
  values: readonly string[]
  isMultiple: boolean
  onChange: (ids: readonly string[]) => void
}): ReactNode {
  const { isOpen, setOpen, trigger, triggerProps } = useLazyPopover(load)
  return (
    <>
      <Button
        {...triggerProps}
        size={size}
        isDisabled={isDisabled}
        trailingIcon="chevron-down"
        aria-haspopup="listbox"
        aria-label={`${label}: ${shown}`}
      >
        {!isLabelHidden && <span className="ui-select-label">{label} </span>}
        <span className="ui-select-value">{shown}</span>
      </Button>
      {isOpen && (
        <Suspense fallback={null}>
          <List
            label={label}
            options={options}
            values={values}
            isMultiple={isMultiple}
            isSearchable={isSearchable}
            trigger={trigger}
            onChange={onChange}
            onClose={() => setOpen(false)}
          />
        </Suspense>
      )}
    </>
  )
}
