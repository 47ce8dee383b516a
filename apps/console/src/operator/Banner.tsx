import { useMutation } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { ReactElement } from 'react'
import type { ActingSessionJson } from '@ascribe/contract'
import { endActingSession } from '@ascribe/contract/operations'
import { createClient } from '../api/api.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { formatTime } from '../format/dates.ts'
import { useServices } from '../shell/services.tsx'
import { SOON_MS, spokenWarning, timeLeft } from './time-left.ts'

/** Milliseconds until `expiresAt` on the server's clock, told anew whenever the words change. Says when it is over. */
function useLeft({ startedAt, expiresAt: end }: ActingSessionJson): number {
  const { now, ended } = useServices()
  const expiresAt = Date.parse(end)
  const whole = expiresAt - Date.parse(startedAt)
  const [left, setLeft] = useState(() => Math.min(whole, expiresAt - now()))
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const tick = (): void => {
      // The page's clock is as late as the page was on its way: never more than there was to begin with.
      const ms = Math.min(whole, expiresAt - now())
      setLeft(ms)
      if (ms <= 0) ended.set({ kind: 'expired', at: expiresAt })
      else timer = setTimeout(tick, Math.min(timeLeft(ms).changesInMs, SOON_MS) + 5)
    }
    tick()
    // A machine that slept has timers that are late.
    document.addEventListener('visibilitychange', tick)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', tick)
    }
  }, [expiresAt, whole, now, ended])
  return left
}

/** Ends the session on the server, and leaves the document: nothing of the organization stays in its memory. */
function useExit(organizationId: string) {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config, organizationId), [config, organizationId])
  return useMutation({
    mutationFn: () => client.call(endActingSession, { body: { organization: organizationId } }),
    onSettled: () => location.assign(config.basePath),
  })
}

/** Cannot be missed, and is never away: who, whom, why, read-only, for how long, and the way out (R10, R26). */
export function Banner({ session, organizationName }: { session: ActingSessionJson; organizationName: string }): ReactElement {
  const { operator, reason, ticket, organizationId, expiresAt } = session
  const left = useLeft(session)
  const exit = useExit(organizationId)
  const { text, isSoon } = timeLeft(left)
  return (
    <section className="imp banner" aria-label={`Viewing as ${organizationName}`}>
      <details className="banner-facts">
        <summary>
          <strong>
            <span className="banner-words">Viewing as</span> {organizationName} <span className="id">{organizationId.slice(-8)}</span>
          </strong>
          <span className="banner-why">
            {operator} · “{reason}” · {ticket}
          </span>
        </summary>
        <dl>
          <Fact name="Operator" value={operator} />
          <Fact name="Reason" value={reason} />
          <Fact name="Ticket" value={ticket} />
          <Fact name="Organization id" value={organizationId} />
          <Fact name="Ends at" value={formatTime(expiresAt)} />
        </dl>
      </details>
      <span className="banner-badge">Read-only</span>
      <span className="banner-left" data-soon={isSoon}>
        {text}
      </span>
      <button type="button" className="banner-exit" disabled={exit.isPending} onClick={() => exit.mutate()}>
        Exit
      </button>
      <span role="status" className="visually-hidden">
        {spokenWarning(left, formatTime(expiresAt))}
      </span>
    </section>
  )
}

function Fact({ name, value }: { name: string; value: string }): ReactElement {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}
