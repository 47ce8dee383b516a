import { useState } from 'react'
import type { ReactNode } from 'react'
import { closeSupportWindow, openSupportWindow } from '@ascribe/contract/operations'
import type { SupportAccess } from '@ascribe/contract/writes'
import { useMayWrite } from '../../api/context.tsx'
import { useWrite } from '../../api/queries.ts'
import { formatInstantLong } from '../../format/dates.ts'
import { useServices } from '../../shell/services.tsx'
import { Badge } from '../../ui/Badge.tsx'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { SelectField } from '../../ui/Field.tsx'
import { WriteFault } from '../Loaded.tsx'

const HOUR_MS = 3_600_000
const LENGTHS = [
  { id: '1', label: '1 hour' },
  { id: '4', label: '4 hours' },
  { id: '24', label: '1 day' },
  { id: '72', label: '3 days' },
  { id: '168', label: '7 days' },
]

/** A time in which any operator may look without asking. */
export function SupportWindow({ access: { window, requireApproval } }: { access: SupportAccess }): ReactNode {
  const mayWrite = useMayWrite()
  const { now } = useServices()
  const [hours, setHours] = useState('24')
  const open = useWrite(openSupportWindow)
  const close = useWrite(closeSupportWindow)
  return (
    <Card title="Window">
      {window === undefined ? (
        <>
          <p>
            <Badge>Closed</Badge>
          </p>
          <p className="pages-note">
            While a window is open, support looks without asking each time.
            {!requireApproval && ' It matters once they have to ask.'}
          </p>
          {mayWrite && (
            <>
              <SelectField label="Open it for" name="hours" value={hours} onChange={setHours} options={LENGTHS} />
              <WriteFault error={open.error} what="open the window" />
              <div className="ui-actions">
                <Button
                  isPending={open.isPending}
                  onPress={() => open.mutate({ body: { until: new Date(now() + Number(hours) * HOUR_MS).toISOString() } })}
                >
                  Open window
                </Button>
              </div>
            </>
          )}
        </>
      ) : (
        <>
          <p>
            <Badge kind="warning">Open until {formatInstantLong(window.until)}</Badge>
          </p>
          <p className="pages-note">Opened by {window.openedBy.replace(/^user:/, '')}. Closing it ends at once what lasts because of it.</p>
          <WriteFault error={close.error} what="close the window" />
          {mayWrite && (
            <div className="ui-actions">
              <Button kind="danger" isPending={close.isPending} onPress={() => close.mutate({})}>
                Close window
              </Button>
            </div>
          )}
        </>
      )}
    </Card>
  )
}
