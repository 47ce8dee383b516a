import type { ReactNode } from 'react'
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components/Modal'
import './overlays.css'

export type DialogBodyProps = {
  title: ReactNode
  children: ReactNode
  onClose: () => void
  /** Neither Esc nor a click beside it closes it: for a secret that nobody can show again. */
  isLocked?: boolean
  size?: 's' | 'm'
  /** `alertdialog`: what it asks cannot be undone. */
  role?: 'dialog' | 'alertdialog'
}

export function DialogBody({ title, children, onClose, isLocked = false, size = 's', role = 'dialog' }: DialogBodyProps): ReactNode {
  return (
    <ModalOverlay
      className="ui-overlay"
      isOpen
      isDismissable={!isLocked && role === 'dialog'}
      isKeyboardDismissDisabled={isLocked}
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose()
      }}
    >
      <Modal className={`ui-dialog ui-dialog-${size}`}>
        <Dialog role={role} className="ui-dialog-body">
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
