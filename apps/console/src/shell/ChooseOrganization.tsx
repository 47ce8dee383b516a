import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { ReactElement } from 'react'
import { chooseMyOrganization } from '@ascribe/contract/operations'
import type { Me } from '@ascribe/contract/login'
import { createClient } from '../api/api.ts'
import { faultOf } from '../api/fault.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { Button } from '../ui/Button.tsx'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { MessagePage } from './ErrorPages.tsx'

/** Makes another organization the one that is looked at. Nothing of the one before stays in the cache. `onChosen`: before its pages are there. */
export function useChooseOrganization(onChosen?: () => void) {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config), [config])
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (organization: string) => client.call(chooseMyOrganization, { body: { organization } }),
    onSuccess: (me) => {
      onChosen?.()
      queries.removeQueries({ queryKey: ['organization'] })
      queries.setQueryData<Me>(['me'], me)
    },
  })
}

/** For who belongs to several. */
export function ChooseOrganization({ me }: { me: Me }): ReactElement {
  const choose = useChooseOrganization()
  const fault = choose.error === null ? undefined : faultOf(choose.error)
  return (
    <MessagePage title="Choose an organization">
      {fault !== undefined && <ErrorBox title="We could not open it." requestId={fault.requestId} />}
      {me.organizations.length === 0 && <p>You are signed in, but you are a member of no organization here.</p>}
      <ul className="choices">
        {me.organizations.map(({ id, name }) => (
          <li key={id}>
            <Button onPress={() => choose.mutate(id)} isPending={choose.isPending && choose.variables === id}>
              {name}
            </Button>
          </li>
        ))}
      </ul>
    </MessagePage>
  )
}
