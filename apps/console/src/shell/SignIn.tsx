import { useLocation } from '@tanstack/react-router'
import type { ReactElement } from 'react'
import { useConsoleConfig } from '../config-context.tsx'
import { DocumentLink } from './DocumentLink.tsx'
import { MessagePage } from './ErrorPages.tsx'
import { signInUrl } from './sign-in-url.ts'

/** For a customer who is not signed in: one way in, and back to the page that was asked for. */
export function SignIn(): ReactElement {
  const config = useConsoleConfig()
  // Asked for so that the link follows the address.
  useLocation()
  return (
    <MessagePage title="Sign in">
      {config.hasLogin ? (
        <>
          <p>Usage, bills and API keys of your organization.</p>
          <p className="message-actions">
            <DocumentLink href={signInUrl(config)}>Sign in</DocumentLink>
          </p>
        </>
      ) : (
        <p>Nobody can sign in here: this installation has no identity provider. Programs use API keys; see the documentation of the API.</p>
      )}
    </MessagePage>
  )
}
