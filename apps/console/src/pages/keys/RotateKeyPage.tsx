import { useState } from 'react'
import type { ReactNode } from 'react'
import { listApiKeys, rotateKey } from '@ascribe/contract/operations'
import { useWrite } from '../../api/queries.ts'
import { formatInstantLong } from '../../format/dates.ts'
import { useGoTo, usePageParam } from '../../navigation.ts'
import { useServices } from '../../shell/services.tsx'
import { Button } from '../../ui/Button.tsx'
import { Dialog, DialogActions } from '../../ui/Dialog.tsx'
import { RadioField } from '../../ui/Field.tsx'
import { WriteFault } from '../Loaded.tsx'
import { SecretDialog } from '../SecretDialog.tsx'
import { useAllPages } from '../use-all-pages.ts'
import { KeysPage } from './KeysPage.tsx'
import { keyName } from './keys-view.ts'

/** The keys, and over them how long the old secret is to work. */
export function RotateKeyPage(): ReactNode {
  return <KeysPage dialog={<RotateDialog />} />
}

const OVERLAPS = [
  { id: '0', label: 'Not at all' },
  { id: '3600', label: 'For an hour' },
  { id: '86400', label: 'For a day' },
  { id: '604800', label: 'For a week' },
]

function RotateDialog(): ReactNode {
  const id = usePageParam('key')
  const goTo = useGoTo()
  const { now } = useServices()
  const [overlap, setOverlap] = useState('86400')
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } })
  const key = keys.data?.find((each) => each.id === id)
  const rotate = useWrite(rotateKey)
  const close = (): void => goTo({ page: 'keys' }, { replace: true })
  if (rotate.data !== undefined) {
    const { secret, oldEndsAt } = rotate.data
    return (
      <SecretDialog title={`New secret of ${key === undefined ? 'the key' : keyName(key)}`} secret={secret} onDone={close}>
        <p>{oldEndsAt === undefined ? 'The old one works no longer.' : `The old one works until ${formatInstantLong(oldEndsAt)}.`}</p>
      </SecretDialog>
    )
  }
  if (keys.data === undefined || (key === undefined && !keys.isWhole)) return null
  if (key === undefined || key.state === 'revoked')
    return (
      <Dialog isOpen title={key === undefined ? 'There is no such key' : `${keyName(key)} is revoked`} onClose={close}>
        <p>{key === undefined ? 'Check the link.' : 'A revoked key stays revoked. Create another one.'}</p>
        <DialogActions>
          <Button onPress={close}>Back to API keys</Button>
        </DialogActions>
      </Dialog>
    )
  const seconds = Number(overlap)
  const until = new Date(now() + seconds * 1000).toISOString()
  return (
    <Dialog isOpen title={`Rotate ${keyName(key)}`} onClose={close}>
      <p>You get a new secret, shown once. Usage stays under the same key.</p>
      <RadioField
        label="The old secret goes on working"
        name="overlap"
        value={overlap}
        onChange={setOverlap}
        options={OVERLAPS}
        hint={seconds === 0 ? 'Requests with the old secret fail at once.' : `Until ${formatInstantLong(until)}.`}
      />
      <WriteFault error={rotate.error} what="rotate the key" />
      <DialogActions>
        <Button
          kind="primary"
          isPending={rotate.isPending}
          onPress={() => rotate.mutate({ params: { keyId: id }, body: { overlapSeconds: seconds } })}
        >
          Rotate key
        </Button>
        <Button onPress={close}>Cancel</Button>
      </DialogActions>
    </Dialog>
  )
}
