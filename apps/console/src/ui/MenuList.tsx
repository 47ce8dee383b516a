import { use } from 'react'
import type { ReactNode, RefObject } from 'react'
import { Menu, MenuItem as AriaMenuItem, Popover, Separator, Text } from 'react-aria-components/Menu'
import { NavigateContext } from './navigate.ts'
import './overlays.css'

export type MenuItem =
  | {
      readonly id: string
      readonly label: ReactNode
      readonly textValue?: string
      readonly hint?: string
      readonly onAction?: () => void
      /** Goes to a page of ours. */
      readonly href?: string
      readonly isDanger?: boolean
      readonly isDisabled?: boolean
    }
  | 'separator'

export function MenuList({
  items,
  trigger,
  onClose,
  label,
}: {
  items: readonly MenuItem[]
  trigger: RefObject<HTMLElement | null>
  onClose: () => void
  label: string
}): ReactNode {
  const navigate = use(NavigateContext)
  const act = (key: unknown): void => {
    const chosen = items.find((item) => item !== 'separator' && item.id === key)
    onClose()
    if (chosen === undefined || chosen === 'separator') return
    chosen.onAction?.()
    if (chosen.href !== undefined) navigate(chosen.href)
  }
  return (
    <Popover
      className="ui-popover"
      triggerRef={trigger}
      isOpen
      placement="bottom end"
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose()
      }}
    >
      {/* oxlint-disable-next-line jsx-a11y/no-autofocus -- An overlay that has been opened takes the focus, and gives it back. */}
      <Menu className="ui-menu" aria-label={label} autoFocus="first" onAction={act} onClose={onClose}>
        {items.map((item, index) =>
          item === 'separator' ? (
            // oxlint-disable-next-line react/no-array-index-key -- A line has no name; the list does not change while it is open.
            <Separator key={`line-${index}`} className="ui-menu-line" />
          ) : (
            <AriaMenuItem
              key={item.id}
              id={item.id}
              className={item.isDanger === true ? 'ui-menu-item ui-menu-danger' : 'ui-menu-item'}
              isDisabled={item.isDisabled === true}
              textValue={item.textValue ?? (typeof item.label === 'string' ? item.label : item.id)}
            >
              <Text slot="label">{item.label}</Text>
              {item.hint !== undefined && (
                <Text slot="description" className="ui-menu-hint">
                  {item.hint}
                </Text>
              )}
            </AriaMenuItem>
          ),
        )}
      </Menu>
    </Popover>
  )
}
