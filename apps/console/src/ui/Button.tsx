import type { ReactNode, Ref } from 'react'
import { Button as AriaButton } from 'react-aria-components/Button'
import type { ButtonProps as AriaButtonProps } from 'react-aria-components/Button'
import { Icon } from './Icon.tsx'
import type { IconName } from './Icon.tsx'

export type ButtonKind = 'primary' | 'secondary' | 'quiet' | 'danger'

export type ButtonProps = Omit<AriaButtonProps, 'className' | 'style' | 'children'> & {
  kind?: ButtonKind
  size?: 'm' | 's'
  icon?: IconName | undefined
  trailingIcon?: IconName | undefined
  ref?: Ref<HTMLButtonElement>
  children: ReactNode
}

/** Its words say the result ("Revoke key", not "OK"). Waiting keeps its width and its focus. */
export function Button({ kind = 'secondary', size = 'm', icon, trailingIcon, children, ...rest }: ButtonProps): ReactNode {
  return (
    <AriaButton {...rest} className={`ui-button ui-${kind} ui-size-${size}`}>
      {icon !== undefined && <Icon name={icon} />}
      <span className="ui-button-text">{children}</span>
      {trailingIcon !== undefined && <Icon name={trailingIcon} size={12} />}
    </AriaButton>
  )
}
