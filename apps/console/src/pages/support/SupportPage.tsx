import { useState } from 'react'
import type { ReactNode } from 'react'
import { getSupportAccess, setSupportAccess } from '@ascribe/contract/operations'
import type { SupportAccess } from '@ascribe/contract/writes'
import { useMayWrite } from '../../api/context.tsx'
import { useRead, useWrite } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatInstantLong } from '../../format/dates.ts'
import { usePageHref } from '../../navigation.ts'
import { Badge } from '../../ui/Badge.tsx'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { Dialog, DialogActions } from '../../ui/Dialog.tsx'
import { Link } from '../../ui/Link.tsx'
import { Page } from '../../ui/Page.tsx'
import { Loaded, WriteFault } from '../Loaded.tsx'
import { SupportRequests } from './SupportRequests.tsx'
import { SupportWindow } from './SupportWindow.tsx'
import '../pages.css'

/** The customer's say in who looks. */
export function SupportPage(): ReactNode {
  const access = useRead(getSupportAccess)
  const { provider } = useConsoleConfig()
  const href = usePageHref()
  return (
    <Page title="Support access">
      <p className="ui-lead">
        People at {provider} can view these pages as you, with a reason, for at most 60 minutes at a time. They cannot change anything.
        Every visit is in your <Link href={href({ page: 'access-log' })}>Access log</Link>.
      </p>
      <Loaded query={access} what="the settings" height={240}>
        {(found) => (
          <div className="pages-columns">
            <Policy access={found} />
            <SupportWindow access={found} />
          </div>
        )}
      </Loaded>
      <SupportRequests />
    </Page>
  )
}

function Policy({ access }: { access: SupportAccess }): ReactNode {
  const mayWrite = useMayWrite()
  const [isAsking, setAsking] = useState(false)
  const set = useWrite(setSupportAccess)
  const { requireApproval, changedAt, changedBy } = access
  const change = (next: boolean): void => set.mutate({ body: { requireApproval: next } }, { onSuccess: () => setAsking(false) })
  return (
    <Card title="Do they have to ask?">
      <p>{requireApproval ? <Badge kind="info">They have to ask first</Badge> : <Badge>They need not ask</Badge>}</p>
      <p className="pages-note">
        {requireApproval
          ? 'Nobody sees your pages before an administrator of yours has approved the request below, or while a window is open.'
          : 'Support may look when there is a reason for it. You read it in the access log.'}
      </p>
      {changedAt !== undefined && (
        <p className="pages-small">
          Changed {formatInstantLong(changedAt)}
          {changedBy !== undefined && ` by ${changedBy.replace(/^user:/, '')}`}
        </p>
      )}
      {!isAsking && <WriteFault error={set.error} what="change this" />}
      {mayWrite && (
        <div className="ui-actions">
          {requireApproval ? (
            <Button isPending={set.isPending} onPress={() => change(false)}>
              Let them look without asking
            </Button>
          ) : (
            <Button onPress={() => setAsking(true)}>Require approval</Button>
          )}
        </div>
      )}
      {isAsking && (
        <Dialog isOpen title="Require approval?" onClose={() => setAsking(false)}>
          <p>From now on support has to ask. Visits that are going on and that nobody approved end at once.</p>
          <WriteFault error={set.error} what="change this" />
          <DialogActions>
            <Button kind="primary" isPending={set.isPending} onPress={() => change(true)}>
              Require approval
            </Button>
            <Button onPress={() => setAsking(false)}>Cancel</Button>
          </DialogActions>
        </Dialog>
      )}
    </Card>
  )
}
