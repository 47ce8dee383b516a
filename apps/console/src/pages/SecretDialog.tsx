import { useState } from 'react'
import type { ReactNode } from 'react'
import { Button } from '../ui/Button.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { Dialog, DialogActions } from '../ui/Dialog.tsx'
import { CheckField } from '../ui/Field.tsx'

/** A secret that nobody can show again: neither Esc nor a click beside it closes it, and Done waits for a yes. */
export function SecretDialog({
  title,
  secret,
  children,
  onDone,
}: {
  title: string
  secret: string
  /** What it is for, and what happens to the one before. */
  children?: ReactNode
  onDone: () => void
}): ReactNode {
  const [isStored, setStored] = useState(false)
  return (
    <Dialog isOpen isLocked size="m" title={title} onClose={onDone}>
      <p>
        <strong>Copy this secret now.</strong> We cannot show it again.
      </p>
      {children}
      <code className="ui-secret" data-secret>
        {secret}
      </code>
      <DialogActions>
        <CopyButton text={secret} label="Copy secret" size="m" />
      </DialogActions>
      <CheckField label="I stored it" isSelected={isStored} onChange={setStored} />
      <DialogActions>
        <Button kind="primary" isDisabled={!isStored} onPress={onDone}>
          Done
        </Button>
      </DialogActions>
    </Dialog>
  )
}
