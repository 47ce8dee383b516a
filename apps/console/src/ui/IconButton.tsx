import type { ReactNode, Ref } from 'react'
import { Button as AriaButton } from 'react-aria-components/Button'
import type { ButtonProps as AriaButtonProps } from 'react-aria-components/Button'
import type { ButtonKind } from './Button.tsx'
import { Icon } from './Icon.tsx'
import type { IconName } from './Icon.tsx'

type Props = Omit<AriaButtonProps, 'className' | 'style' | 'children' | 'aria-label'> & {
  icon: IconName
  /** What it does, in words: for whoever does not see the drawing. */
  label: string
  kind?: ButtonKind
  ref?: Ref<HTMLButtonElement>
}

/** A drawing that is a button. */
export function IconButton({ icon, label, kind = 'quiet', ...rest }: Props): ReactNode {
  return (
    <AriaButton {...rest} aria-label={label} className={`ui-button ui-icon-button ui-${kind}`}>
      <Icon name={icon} />
    </AriaButton>
  )
}
