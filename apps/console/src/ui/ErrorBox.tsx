import type { ReactNode } from 'react'
import { Button } from './Button.tsx'
import { CopyButton } from './CopyButton.tsx'
import { Icon } from './Icon.tsx'

/** What failed, what still holds, what to do; and the id by which whoever helps finds it. */
export function ErrorBox({
  title,
  children,
  requestId,
  onRetry,
  actions,
}: {
  title: ReactNode
  children?: ReactNode
  requestId?: string | undefined
  onRetry?: (() => void) | undefined
  actions?: ReactNode
}): ReactNode {
  return (
    <div className="ui-error" role="alert">
      <Icon name="error" />
      <div className="ui-error-body">
        <p>
          <strong>{title}</strong> {children}
        </p>
        {requestId !== undefined && (
          <p className="ui-request-id">
            Request id <code>{requestId}</code> <CopyButton text={requestId} label="Copy request id" isIconOnly />
          </p>
        )}
        {(onRetry !== undefined || actions !== undefined) && (
          <div className="ui-actions">
            {onRetry !== undefined && (
              <Button size="s" icon="refresh" onPress={onRetry}>
                Try again
              </Button>
            )}
            {actions}
          </div>
        )}
      </div>
    </div>
  )
}
