import type { ReactNode } from 'react'
import { Button } from '../ui/Button.tsx'

/** How many are shown, and more of them. Never a made-up total of pages. */
export function LoadMore({
  shown,
  what,
  hasMore,
  isLoading,
  onMore,
}: {
  shown: number
  /** In the plural. */
  what: string
  hasMore: boolean
  isLoading: boolean
  onMore: () => void
}): ReactNode {
  return (
    <div className="pages-more">
      <span role="status">
        {shown} {what} shown{hasMore ? '' : ', all there are'}
      </span>
      {hasMore && (
        <Button size="s" onPress={onMore} isPending={isLoading}>
          {isLoading ? 'Loading' : 'Load more'}
        </Button>
      )}
    </div>
  )
}
