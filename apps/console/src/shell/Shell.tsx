import { Outlet, useLocation } from '@tanstack/react-router'
import type { ReactElement, ReactNode } from 'react'
import { Navigation } from './Navigation.tsx'
import { SlowNotice } from './SlowNotice.tsx'

/** Navigation beside the page. `account`: who is here, and how to leave; operators have their banner. */
export function Shell({ account }: { account?: ReactNode }): ReactElement {
  const path = useLocation({ select: ({ pathname }) => pathname })
  return (
    <div className="shell">
      <Navigation account={account} />
      <main id="content" className="content">
        <SlowNotice key={path} />
        <Outlet />
      </main>
    </div>
  )
}
