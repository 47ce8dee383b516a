import type { ReactElement } from 'react'
import { useConsoleConfig } from '../config-context.tsx'
import { MessagePage } from '../shell/ErrorPages.tsx'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { Link } from '../ui/Link.tsx'

/** For whoever may not, and for what is not: one page, which tells neither. */
export function NoRole({ requestId }: { requestId: string | undefined }): ReactElement {
  const { basePath } = useConsoleConfig()
  return (
    <MessagePage title="Not open to you">
      <ErrorBox
        title="Your role may not view this organization."
        requestId={requestId}
        actions={<Link href={basePath}>Find another organization</Link>}
      >
        Or there is no such organization.
      </ErrorBox>
    </MessagePage>
  )
}
