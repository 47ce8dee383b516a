import type { ReactNode, RefObject } from 'react'
import { Autocomplete, useFilter } from 'react-aria-components/Autocomplete'
import { ListBox, ListBoxItem, Text } from 'react-aria-components/ListBox'
import { Dialog, Popover } from 'react-aria-components/Popover'
import { Input, SearchField } from 'react-aria-components/SearchField'
import { Icon } from './Icon.tsx'
import './overlays.css'

export type SelectOption = { readonly id: string; readonly label: string; readonly hint?: string; readonly swatch?: ReactNode }

type Choice = {
  label: string
  options: readonly SelectOption[]
  values: readonly string[]
  isMultiple: boolean
  isSearchable: boolean
  onChange: (ids: readonly string[]) => void
  onClose: () => void
}

export function OptionList({ trigger, ...choice }: Choice & { trigger: RefObject<HTMLElement | null> }): ReactNode {
  const { label, isSearchable, onClose } = choice
  const { contains } = useFilter({ sensitivity: 'base' })
  const list = <Options {...choice} />
  return (
    <Popover
      className="ui-popover"
      triggerRef={trigger}
      isOpen
      placement="bottom start"
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose()
      }}
    >
      <Dialog aria-label={label} className="ui-options-box">
        {isSearchable ? (
          <Autocomplete filter={contains}>
            {/* oxlint-disable-next-line jsx-a11y/no-autofocus -- An overlay that has been opened takes the focus, and gives it back. */}
            <SearchField aria-label={`Search ${label}`} autoFocus className="ui-options-search">
              <Icon name="search" />
              <Input className="ui-input" placeholder="Search" />
            </SearchField>
            {list}
          </Autocomplete>
        ) : (
          list
        )}
      </Dialog>
    </Popover>
  )
}

function Options({ label, options, values, isMultiple, isSearchable, onChange, onClose }: Choice): ReactNode {
  return (
    <ListBox
      className="ui-options"
      aria-label={label}
      // With a search field, that one has the focus.
      // oxlint-disable-next-line jsx-a11y/no-autofocus -- An overlay that has been opened takes the focus, and gives it back.
      autoFocus={!isSearchable}
      items={options}
      selectionMode={isMultiple ? 'multiple' : 'single'}
      // Esc closes the list. By default it would first unselect everything.
      escapeKeyBehavior="none"
      disallowEmptySelection={!isMultiple}
      selectedKeys={values}
      onSelectionChange={(keys) => {
        onChange(options.filter(({ id }) => keys === 'all' || keys.has(id)).map(({ id }) => id))
        if (!isMultiple) onClose()
      }}
      renderEmptyState={() => <p className="ui-options-empty">Nothing matches.</p>}
    >
      {(option) => (
        <ListBoxItem id={option.id} textValue={option.label} className="ui-option">
          <span className="ui-option-mark">
            <Icon name="check" />
          </span>
          {option.swatch}
          <Text slot="label" className="ui-option-label">
            {option.label}
          </Text>
          {option.hint !== undefined && (
            <Text slot="description" className="ui-option-hint">
              {option.hint}
            </Text>
          )}
        </ListBoxItem>
      )}
    </ListBox>
  )
}
