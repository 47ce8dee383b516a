import { useIsFetching, useQueryClient } from '@tanstack/react-query'
import type { Query } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { ReactElement } from 'react'
import { Button } from '../ui/Button.tsx'
import { Notice } from '../ui/Notice.tsx'

const SLOW_MS = 5000

const isEmpty = ({ state }: Query): boolean => state.data === undefined

/** After five seconds without an answer: what is going on, a way out of it, and back. */
export function SlowNotice(): ReactElement {
  const isWaiting = useIsFetching({ predicate: isEmpty }) > 0
  const [isSlow, setSlow] = useState(false)
  const [isStopped, setStopped] = useState(false)
  const client = useQueryClient()
  useEffect(() => {
    if (!isWaiting) return
    const timer = setTimeout(() => setSlow(true), SLOW_MS)
    return () => {
      clearTimeout(timer)
      setSlow(false)
    }
  }, [isWaiting])
  // Something asks again: this page after all, or another one.
  if (isWaiting && isStopped && !isSlow) setStopped(false)
  const stop = (): void => {
    setStopped(true)
    void client.cancelQueries({ predicate: isEmpty })
  }
  return (
    <div role="status">
      {isSlow ? (
        <Notice
          kind="info"
          actions={
            <Button size="s" onPress={stop}>
              Cancel
            </Button>
          }
        >
          Still loading. Large ranges can take up to 30 seconds.
        </Notice>
      ) : (
        isStopped && (
          <Notice
            kind="info"
            actions={
              <Button size="s" onPress={() => void client.refetchQueries({ type: 'active', predicate: isEmpty })}>
                Load it
              </Button>
            }
          >
            Cancelled. What had not come yet is not shown.
          </Notice>
        )
      )}
    </div>
  )
}
