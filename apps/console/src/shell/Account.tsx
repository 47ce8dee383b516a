import { useMutation } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { ReactElement } from 'react'
import { logout } from '@ascribe/contract/operations'
import type { Me } from '@ascribe/contract/login'
import { createClient } from '../api/api.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { useGoTo } from '../navigation.ts'
import { pageAt } from '../routes.ts'
import { Button } from '../ui/Button.tsx'
import { useChooseOrganization } from './ChooseOrganization.tsx'

/** Who is signed in, for which organization, and the way out. */
export function Account({ me }: { me: Me }): ReactElement {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config), [config])
  const goTo = useGoTo()
  // The same page; what its address says of keys, days and invoices is of the organization before.
  const choose = useChooseOrganization(() => {
    const page = pageAt(location.pathname)
    goTo({ page: page === undefined || page.path.includes('$') || page.isWrite ? 'overview' : page.id })
  })
  const signOut = useMutation({
    mutationFn: () => client.call(logout),
    // A new document: nothing of this one stays.
    onSettled: (reply) => location.assign(reply?.endSessionUrl ?? config.basePath),
  })
  const mine = me.organizations
  return (
    <div className="account">
      {mine.length > 1 ? (
        <label>
          Organization
          <select value={me.organizationId} onChange={({ target }) => choose.mutate(target.value)} disabled={choose.isPending}>
            {mine.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <p className="account-organization">{mine[0]?.name}</p>
      )}
      <p className="account-person">{me.name ?? me.email ?? me.id}</p>
      {me.via === 'cookie' && (
        <Button size="s" isPending={signOut.isPending} onPress={() => signOut.mutate()}>
          Sign out
        </Button>
      )}
    </div>
  )
}
