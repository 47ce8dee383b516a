import { useIsFetching, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { ReactElement } from 'react'
import { faultOf } from '../api/fault.ts'
import { formatTime } from '../format/dates.ts'
import { Button } from '../ui/Button.tsx'

/** Whether there is no line, and since when what is shown is true. */
function useOffline(): { readonly dataAt: number | undefined } | undefined {
  const client = useQueryClient()
  const [isDown, setDown] = useState(!navigator.onLine)
  useEffect(() => {
    const up = (): void => setDown(false)
    const down = (): void => setDown(true)
    addEventListener('online', up)
    addEventListener('offline', down)
    const stop = client.getQueryCache().subscribe(({ query }) => {
      const { error, status, fetchStatus } = query.state
      if (fetchStatus !== 'idle') return
      if (status === 'success') setDown(!navigator.onLine)
      else if (status === 'error' && faultOf(error).kind === 'offline') setDown(true)
    })
    return () => {
      removeEventListener('online', up)
      removeEventListener('offline', down)
      stop()
    }
  }, [client])
  if (!isDown) return undefined
  const times = client
    .getQueryCache()
    .getAll()
    .map(({ state }) => state.dataUpdatedAt)
    .filter((at) => at > 0)
  return { dataAt: times.length === 0 ? undefined : Math.min(...times) }
}

/** Says that there is no line, and how old what is shown is. */
export function OfflineBar(): ReactElement {
  const offline = useOffline()
  const client = useQueryClient()
  const isFetching = useIsFetching() > 0
  const at = offline?.dataAt === undefined ? undefined : formatTime(new Date(offline.dataAt).toISOString())
  return (
    <div role="status" className="offline-bar" hidden={offline === undefined}>
      {offline !== undefined && (
        <>
          <span>{at === undefined ? 'Offline. We cannot reach the server.' : `Offline. Data as of ${at}.`}</span>
          <Button size="s" isPending={isFetching} onPress={() => void client.refetchQueries({ type: 'active' })}>
            Try again
          </Button>
        </>
      )}
    </div>
  )
}
