import { useEffect, useState } from 'react'
import type { ReactElement, ReactNode } from 'react'
import { reachOfOwnFiles } from '../api/ask.ts'
import type { Reach } from '../api/ask.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { Button } from '../ui/Button.tsx'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { Link } from '../ui/Link.tsx'
import { Page } from '../ui/Page.tsx'
import { Skeleton } from '../ui/Skeleton.tsx'
import { useServices } from './services.tsx'
import { useDocumentTitle } from './use-document-title.ts'

/** A page that is nothing but a message: with its own landmark where no shell is around it. */
export function MessagePage({ title, children }: { title: string; children: ReactNode }): ReactElement {
  useDocumentTitle(title)
  return (
    <main className="message-page" id="content">
      <Page title={title}>{children}</Page>
    </main>
  )
}

/** Missing, and not open to whoever asks: one page for both, so that nothing can be told from it. */
export function MissingPage({ requestId }: { requestId?: string | undefined }): ReactElement {
  const { basePath } = useConsoleConfig()
  return (
    <MessagePage title="Not found">
      <ErrorBox
        title="This page does not exist or is not open to you."
        requestId={requestId}
        actions={<Link href={basePath}>To the start</Link>}
      >
        Check the link, or ask an administrator of your organization.
      </ErrorBox>
    </MessagePage>
  )
}

/**
 * A fault in a page, or a part of it that could not be loaded: because the sign-in is over, because there is no line, or because another
 * version of the console is served by now.
 */
export function CrashPage({ error }: { error: unknown }): ReactElement {
  const { ended, now } = useServices()
  const [why, setWhy] = useState<'asking' | Reach>('asking')
  useEffect(() => {
    void reachOfOwnFiles().then((found) => {
      if (found === 'signed_out') ended.set({ kind: 'signed_out', at: now() })
      setWhy(found)
    })
  }, [ended, now])
  const again = <Button onPress={() => location.reload()}>Load the page again</Button>
  if (why === 'asking') return <Skeleton height="60vh" />
  if (why === 'offline')
    return (
      <CrashMessage title="Offline">
        <ErrorBox title="We cannot reach the server." actions={again}>
          Check your connection.
        </ErrorBox>
      </CrashMessage>
    )
  const isPart = error instanceof TypeError && /import|module/i.test(error.message)
  return (
    <CrashMessage title="Something failed">
      <ErrorBox title={isPart ? 'There is a new version of this page.' : 'Something failed on our side.'} actions={again}>
        {isPart ? 'Load it again.' : 'This page could not be shown.'}
      </ErrorBox>
    </CrashMessage>
  )
}

/** Inside of the shell, which has the landmark. */
function CrashMessage({ title, children }: { title: string; children: ReactNode }): ReactElement {
  useDocumentTitle(title)
  return <Page title={title}>{children}</Page>
}
