import { useQueryClient } from '@tanstack/react-query'
import { useLocation } from '@tanstack/react-router'
import { useEffect } from 'react'
import type { ReactElement } from 'react'
import { useConsoleConfig } from '../config-context.tsx'
import { formatTime } from '../format/dates.ts'
import { DocumentLink } from '../shell/DocumentLink.tsx'
import { signInUrl } from '../shell/sign-in-url.ts'
import { useDocumentTitle } from '../shell/use-document-title.ts'
import type { Ended } from './ended.ts'

type Props = {
  readonly ended: Ended
  readonly organizationName: string | undefined
  /** How to begin to look again, on this very page; absent: by signing in. */
  readonly onContinue?: () => void
}

/** In place of the page: nothing of the organization is left on it or in memory; the address is what it was. */
export function SessionOver({ ended, organizationName, onContinue }: Props): ReactElement {
  const config = useConsoleConfig()
  const queries = useQueryClient()
  // The link follows the address.
  useLocation()
  useDocumentTitle('Session ended')
  useEffect(() => {
    void queries.cancelQueries({ queryKey: ['organization'] })
    queries.removeQueries({ queryKey: ['organization'] })
  }, [queries])
  const { title, text } = wordsOf(ended, organizationName)
  const isHere = ended.kind !== 'signed_out' && onContinue !== undefined
  return (
    <main id="content" className="session-over">
      <section className="ended-bar" role="alert" aria-label="Session ended">
        <h1 id="page-title" tabIndex={-1}>
          Session ended
        </h1>
        <p>
          <strong>{title}</strong> {text}
        </p>
        <div className="ended-actions">
          {isHere && ended.kind === 'expired' && (
            <button type="button" className="ui-button ui-primary ui-size-m" onClick={onContinue}>
              <span className="ui-button-text">Continue viewing</span>
            </button>
          )}
          {ended.kind === 'signed_out' && <DocumentLink href={signInUrl(config)}>Sign in and continue</DocumentLink>}
          {config.mode === 'operator' && <a href={config.basePath}>Close</a>}
        </div>
      </section>
    </main>
  )
}

function wordsOf(ended: Ended, organizationName: string | undefined): { readonly title: string; readonly text: string } {
  const whom = organizationName ?? 'this organization'
  const at = formatTime(new Date(ended.at).toISOString())
  switch (ended.kind) {
    case 'expired':
      return { title: `Viewing as ${whom} ended at ${at}.`, text: 'Say why you look to continue here.' }
    case 'revoked':
      return { title: `${organizationName ?? 'The customer'} withdrew access at ${at}.`, text: 'Nothing more can be shown.' }
    case 'signed_out':
      return { title: 'Your sign-in has ended.', text: 'Sign in to continue here, on the same page.' }
  }
}
