import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { AccessLogCheck } from '@ascribe/contract/writes'
import { formatDay } from '../../format/dates.ts'
import { formatCountExact } from '../../format/quantity.ts'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Notice } from '../../ui/Notice.tsx'
import { FaultBox } from '../Loaded.tsx'

/** What the check found, in words, and the head that one keeps. */
export function CheckPanel({ check, onClose }: { check: UseQueryResult<AccessLogCheck>; onClose: () => void }): ReactNode {
  const { data, error, isFetching } = check
  if (error !== null) return <FaultBox error={error} what="the result of the check" onRetry={() => void check.refetch()} />
  if (data === undefined || isFetching)
    return (
      <Notice kind="info" isLive>
        Checking the chain, line by line.
      </Notice>
    )
  const close = (
    <Button size="s" onPress={onClose}>
      Close
    </Button>
  )
  if (data.lines === 0)
    return (
      <Notice kind="success" isLive actions={close}>
        Nothing is in the log yet.
      </Notice>
    )
  const count = formatCountExact(BigInt(data.checked))
  if (!data.isWhole)
    return (
      <Notice
        kind="danger"
        isLive
        actions={close}
        title={
          data.problem?.sequence === undefined
            ? 'The chain could not be checked here.'
            : `The chain does not verify at entry ${data.problem.sequence}.`
        }
      >
        {data.problem?.sequence === undefined ? data.problem?.message : 'Contact us. Entries before it are sound.'}
      </Notice>
    )
  return (
    <Notice
      kind="success"
      isLive
      actions={close}
      title={`${count} ${data.checked === 1 ? 'entry' : 'entries'}, unbroken${data.since === undefined ? '' : ` since ${formatDay(data.since.slice(0, 10))}`}.`}
    >
      Each entry was computed anew and follows the one before it; nothing was changed, left out or put in between.
      {data.erasedFields > 0 && ` ${data.erasedFields} personal fields were erased since, which the log says itself.`}
      {data.head !== undefined && (
        <span className="log-head">
          Keep this head elsewhere: it shows later whether anything before it was changed.
          <code className="id">{`${data.head.sequence} ${data.head.hash}`}</code>
          <CopyButton text={JSON.stringify(data.head)} label="Copy signed head" />
        </span>
      )}
    </Notice>
  )
}
