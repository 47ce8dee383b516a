import { Suspense, lazy } from 'react'
import type { ReactNode } from 'react'
import { Button } from './Button.tsx'
import type { ButtonKind } from './Button.tsx'
import { IconButton } from './IconButton.tsx'
import type { IconName } from './Icon.tsx'
import type { MenuItem, MenuList } from './MenuList.tsx'
import { useLazyPopover } from './use-lazy-popover.ts'

const load = async (): Promise<{ default: typeof MenuList }> => ({ default: (await import('./MenuList.tsx')).MenuList })
const List = lazy(load)

type Props = {
  items: readonly MenuItem[]
  kind?: ButtonKind
  size?: 's' | 'm'
} & ({ label: ReactNode; icon?: IconName; 'aria-label'?: string } | { icon: IconName; iconLabel: string })

/** A button that opens a list of things to do. */
export function MenuButton(props: Props): ReactNode {
  const { items, kind, size } = props
  const { isOpen, setOpen, trigger, triggerProps } = useLazyPopover(load)
  const look = { ...(kind !== undefined && { kind }) }
  return (
    <>
      {'iconLabel' in props ? (
        <IconButton {...triggerProps} {...look} icon={props.icon} label={props.iconLabel} aria-haspopup="menu" />
      ) : (
        <Button
          {...triggerProps}
          {...look}
          {...(size !== undefined && { size })}
          {...(props.icon !== undefined && { icon: props.icon })}
          {...(props['aria-label'] !== undefined && { 'aria-label': props['aria-label'] })}
          trailingIcon="chevron-down"
          aria-haspopup="menu"
        >
          {props.label}
        </Button>
      )}
      {isOpen && (
        <Suspense fallback={null}>
          <List items={items} trigger={trigger} onClose={() => setOpen(false)} label={'iconLabel' in props ? props.iconLabel : 'Choices'} />
        </Suspense>
      )}
    </>
  )
}
