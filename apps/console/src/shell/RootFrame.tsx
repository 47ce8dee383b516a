import { Outlet } from '@tanstack/react-router'
import { Suspense } from 'react'
import type { ReactElement } from 'react'
import { Skeleton } from '../ui/Skeleton.tsx'
import { OfflineBar } from './OfflineBar.tsx'

/** Around everything. */
export function RootFrame(): ReactElement {
  return (
    <>
      <a className="skip-link" href="#content">
        Skip to content
      </a>
      <OfflineBar />
      <Suspense fallback={<Skeleton height="60vh" />}>
        <Outlet />
      </Suspense>
    </>
  )
}
