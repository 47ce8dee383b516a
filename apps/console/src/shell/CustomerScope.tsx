import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { ReactElement } from 'react'
import { getMe } from '@ascribe/contract/operations'
import type { Me } from '@ascribe/contract/login'
import { createApi, createClient } from '../api/api.ts'
import { ScopeProvider } from '../api/context.tsx'
import { faultOf } from '../api/fault.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { SessionOver } from '../operator/SessionOver.tsx'
import { Skeleton } from '../ui/Skeleton.tsx'
import { Account } from './Account.tsx'
import { ChooseOrganization } from './ChooseOrganization.tsx'
import { FaultPage } from './FaultPage.tsx'
import { SignIn } from './SignIn.tsx'
import { Shell } from './Shell.tsx'
import { useEnded } from './services.tsx'
import { TitleContext } from './use-document-title.ts'

const ME_KEY = ['me'] as const

/** The pages of the organization that a customer has signed in for. */
export function CustomerScope(): ReactElement {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config), [config])
  const ended = useEnded()
  const {
    data: me,
    error,
    refetch,
  } = useQuery({ queryKey: ME_KEY, queryFn: ({ signal }) => client.call(getMe, { signal }), staleTime: Infinity })
  if (ended !== undefined) return <SessionOver ended={ended} organizationName={undefined} />
  if (error !== null && me === undefined) {
    const fault = faultOf(error)
    return fault.kind === 'signed_out' ? <SignIn /> : <FaultPage fault={fault} onRetry={() => void refetch()} />
  }
  if (me === undefined) return <Skeleton height="60vh" />
  if (me.organizationId === undefined) return <ChooseOrganization me={me} />
  // Another organization is another page: nothing that the one before has loaded, typed or opened stays in it (R11).
  return <SignedIn key={me.organizationId} me={me} organizationId={me.organizationId} />
}

function SignedIn({ me, organizationId }: { me: Me; organizationId: string }): ReactElement {
  const config = useConsoleConfig()
  const name = me.organizations.find(({ id }) => id === organizationId)?.name
  const scope = useMemo(
    () => ({ api: createApi(config, organizationId), organizationId, organizationName: name, mayWrite: me.role === 'admin' }),
    [config, organizationId, name, me.role],
  )
  return (
    <ScopeProvider value={scope}>
      <TitleContext value={useMemo(() => (name === undefined ? [] : [name]), [name])}>
        <Shell account={<Account me={me} />} />
      </TitleContext>
    </ScopeProvider>
  )
}
