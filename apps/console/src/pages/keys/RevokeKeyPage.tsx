import type { ReactNode } from 'react'
import { listApiKeys, revokeKey } from '@ascribe/contract/operations'
import { useWrite } from '../../api/queries.ts'
import { useGoTo, usePageParam } from '../../navigation.ts'
import { Button } from '../../ui/Button.tsx'
import { Dialog, DialogActions } from '../../ui/Dialog.tsx'
import { WriteFault } from '../Loaded.tsx'
import { useAllPages } from '../use-all-pages.ts'
import { KeysPage } from './KeysPage.tsx'
import { keyName } from './keys-view.ts'

/** The keys, and the one question over them. */
export function RevokeKeyPage(): ReactNode {
  return <KeysPage dialog={<RevokeDialog />} />
}

function RevokeDialog(): ReactNode {
  const id = usePageParam('key')
  const goTo = useGoTo()
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } })
  const key = keys.data?.find((each) => each.id === id)
  const revoke = useWrite(revokeKey)
  const close = (): void => goTo({ page: 'keys' }, { replace: true })
  if (keys.data === undefined || (key === undefined && !keys.isWhole)) return null
  if (key === undefined || key.state === 'revoked')
    return (
      <Dialog isOpen title={key === undefined ? 'There is no such key' : `${keyName(key)} is revoked already`} onClose={close}>
        <p>{key === undefined ? 'Check the link.' : 'Requests with it fail.'}</p>
        <DialogActions>
          <Button onPress={close}>Back to API keys</Button>
        </DialogActions>
      </Dialog>
    )
  return (
    <Dialog isOpen role="alertdialog" title={`Revoke ${keyName(key)}?`} onClose={close}>
      <p>Requests with it fail at once. This cannot be undone. What it used stays on your statements.</p>
      <WriteFault error={revoke.error} what="revoke the key" />
      <DialogActions>
        <Button kind="danger" isPending={revoke.isPending} onPress={() => revoke.mutate({ params: { keyId: id } }, { onSuccess: close })}>
          Revoke key
        </Button>
        <Button onPress={close}>Keep key</Button>
      </DialogActions>
    </Dialog>
  )
}
