import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useEffect, useMemo } from 'react'
import type { ReactElement } from 'react'
import { searchOrganizations } from '@ascribe/contract/operations'
import { createClient } from '../api/api.ts'
import { faultOf } from '../api/fault.ts'
import { useConsoleConfig } from '../config-context.tsx'
import { useRawSearch, useSetSearch } from '../navigation.ts'
import { hrefOf, pathOf } from '../paths.ts'
import { MessagePage } from '../shell/ErrorPages.tsx'
import { useServices } from '../shell/services.tsx'
import { ThemeChoice } from '../shell/ThemeChoice.tsx'
import { EmptyState } from '../ui/EmptyState.tsx'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { TextField } from '../ui/Field.tsx'
import { Link } from '../ui/Link.tsx'
import { SessionOver } from './SessionOver.tsx'
import { withoutSecret } from './search-text.ts'

/** Support's way in: names and ids, never an amount. Each leads to the form that says why. */
export function OrganizationSearch(): ReactElement {
  const raw = useRawSearch()
  const setSearch = useSetSearch()
  const { ended, now } = useServices()
  const typed = withoutSecret(typeof raw['q'] === 'string' ? raw['q'] : '')
  const asked = useDeferredValue(typed.trim())
  const { data, error, refetch, isFetching } = useFound(asked)
  useEffect(() => ended.set(undefined), [ended])
  if (error !== null && faultOf(error).kind === 'signed_out')
    return <SessionOver ended={{ kind: 'signed_out', at: now() }} organizationName={undefined} />
  return (
    <MessagePage title="Find an organization">
      <search>
        <TextField
          label="Name, organization id or API key id"
          name="q"
          type="search"
          value={typed}
          onChange={(q) => setSearch(q === '' ? {} : { q: withoutSecret(q) }, { replace: true })}
        />
      </search>
      <p role="status">{asked === '' || isFetching || data === undefined ? '' : countOf(data.data.length, data.more)}</p>
      {error !== null && <ErrorBox title="We could not search." requestId={faultOf(error).requestId} onRetry={() => void refetch()} />}
      <Found asked={asked} found={data?.data} />
      <ThemeChoice />
    </MessagePage>
  )
}

function useFound(asked: string) {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config), [config])
  return useQuery({
    queryKey: ['search', 'organizations', asked],
    queryFn: ({ signal }) => client.call(searchOrganizations, { query: { q: asked }, signal }),
    enabled: asked !== '',
    placeholderData: (previous) => previous,
  })
}

function countOf(count: number, isMore: boolean): string {
  if (isMore) return `The first ${count} matches. Ask more precisely for others.`
  return count === 1 ? '1 match' : `${count} matches`
}

type Entry = { readonly id: string; readonly name: string }

function Found({ asked, found }: { asked: string; found: readonly Entry[] | undefined }): ReactElement | undefined {
  const config = useConsoleConfig()
  if (asked === '' || found === undefined) return undefined
  if (found.length === 0) return <EmptyState title="No organization matches.">Or your role may not view it.</EmptyState>
  return (
    <ul className="found">
      {found.map(({ id, name }) => (
        <li key={id}>
          <span className="found-name">{name}</span>
          <span className="id">{id}</span>
          <Link kind="button" href={hrefOf(config, pathOf(config, id, { page: 'overview' }))} aria-label={`View as ${name}`}>
            View as
          </Link>
        </li>
      ))}
    </ul>
  )
}
