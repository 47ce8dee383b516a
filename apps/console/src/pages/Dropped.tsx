import type { ReactNode } from 'react'
import { Notice } from '../ui/Notice.tsx'

/** Parts of the address that meant nothing: the page is shown without them, and says so. */
export function Dropped({ names }: { names: readonly string[] }): ReactNode {
  if (names.length === 0) return null
  return <Notice kind="info">Part of the address was not understood and is left out: {names.join(', ')}.</Notice>
}
