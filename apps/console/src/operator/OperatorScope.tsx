import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { lazy, useEffect, useMemo, useState } from 'react'
import type { ReactElement } from 'react'
import type { ActingSessionJson } from '@ascribe/contract'
import { getActingSession, getOrganization } from '@ascribe/contract/operations'
import { createApi } from '../api/api.ts'
import type { ConsoleApi } from '../api/api.ts'
import { ScopeProvider } from '../api/context.tsx'
import { faultOf } from '../api/fault.ts'
import { readOptions } from '../api/queries.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { FaultPage } from '../shell/FaultPage.tsx'
import { MissingPage } from '../shell/ErrorPages.tsx'
import { Shell } from '../shell/Shell.tsx'
import { useEnded, useServices } from '../shell/services.tsx'
import { TitleContext } from '../shell/use-document-title.ts'
import { Skeleton } from '../ui/Skeleton.tsx'
import { Banner } from './Banner.tsx'
import { NoRole } from './NoRole.tsx'
import { SessionOver } from './SessionOver.tsx'
import { useViewingMark } from './viewing-mark.ts'

// Its fields are most of a form library, which no page needs to be read.
const StartViewing = lazy(async () => {
  const { StartViewing: form } = await import('./StartViewing.tsx')
  return { default: form }
})

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Everything below `/as/{organization}`: nothing of it is asked for before there is an acting session. */
export function OperatorScope(): ReactElement {
  const config = useConsoleConfig()
  const params: Readonly<Record<string, string | undefined>> = useParams({ strict: false })
  const organizationId = params['organization'] ?? ''
  // An environment's page is about its organization alone; what else its address says does not exist there.
  const isOther = config.organizationId !== undefined && config.organizationId !== organizationId
  if (!UUID.test(organizationId) || isOther) return <MissingPage />
  return <Viewing key={organizationId} organizationId={organizationId} />
}

/** The key of the session's own query: not of the organization's data, which is cleared when a session ends. */
function actingKey(organizationId: string): readonly [string, string] {
  return ['acting', organizationId]
}

function Viewing({ organizationId }: { organizationId: string }): ReactElement {
  const config = useConsoleConfig()
  const api = useMemo(() => createApi(config, organizationId), [config, organizationId])
  const queries = useQueryClient()
  const services = useServices()
  const ended = useEnded()
  const [name, setName] = useState<string>()
  const { data, error, refetch } = useQuery({
    queryKey: actingKey(organizationId),
    queryFn: ({ signal }) => api.call(getActingSession, { signal }),
    staleTime: Infinity,
  })
  const restart = (): void => {
    queries.removeQueries({ queryKey: actingKey(organizationId) })
    services.ended.set(undefined)
    void refetch()
  }
  if (ended !== undefined) return <SessionOver ended={ended} organizationName={name} onContinue={restart} />
  if (data !== undefined) return <Viewed api={api} session={data} onName={setName} />
  if (error === null) return <Skeleton height="60vh" />
  const fault = faultOf(error)
  switch (fault.kind) {
    case 'viewing_required':
    case 'viewing_ended':
    case 'approval_required':
      return (
        <StartViewing
          organizationId={organizationId}
          fault={fault}
          onStarted={(session) => queries.setQueryData(actingKey(organizationId), session)}
        />
      )
    case 'signed_out':
      return <SessionOver ended={{ kind: 'signed_out', at: services.now() }} organizationName={undefined} />
    case 'not_found':
    case 'forbidden':
      return <NoRole requestId={fault.requestId} />
    default:
      return <FaultPage fault={fault} onRetry={() => void refetch()} />
  }
}

type ViewedProps = { readonly api: ConsoleApi; readonly session: ActingSessionJson; readonly onName: (name: string) => void }

function Viewed({ api, session, onName }: ViewedProps): ReactElement {
  const { organizationId } = session
  const { data } = useQuery(readOptions(api, getOrganization))
  const name = data?.name
  useEffect(() => {
    if (name !== undefined) onName(name)
  }, [name, onName])
  useViewingMark()
  const shown = name ?? `organization ${organizationId.slice(-8)}`
  const scope = useMemo(() => ({ api, organizationId, organizationName: name, mayWrite: false }), [api, organizationId, name])
  return (
    <ScopeProvider value={scope}>
      <TitleContext value={useMemo(() => [`[Viewing as] ${shown}`], [shown])}>
        <Banner session={session} organizationName={shown} />
        <div className="viewport-frame" aria-hidden="true" />
        <p className="print-only">
          Viewed by {session.operator}, {session.startedAt}
        </p>
        <Shell />
      </TitleContext>
    </ScopeProvider>
  )
}
