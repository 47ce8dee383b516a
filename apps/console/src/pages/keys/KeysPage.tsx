import type { ReactNode } from 'react'
import type { ApiKeyJson } from '@ascribe/contract/reads'
import { useMayWrite } from '../../api/context.tsx'
import { useConsoleConfig } from '../../config-context.tsx'
import { NOTHING } from '../../format/digits.ts'
import { useGoTo, usePageHref, useSearchState } from '../../navigation.ts'
import { oneOf, optionalText } from '../../search-params.ts'
import type { SearchFields } from '../../search-params.ts'
import { Card } from '../../ui/Card.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { Link } from '../../ui/Link.tsx'
import { Button } from '../../ui/Button.tsx'
import { Page } from '../../ui/Page.tsx'
import { Segmented } from '../../ui/Segmented.tsx'
import type { Sort } from '../../ui/table-rows.ts'
import { Dropped } from '../Dropped.tsx'
import { FaultBox, Loaded } from '../Loaded.tsx'
import { KeysTable } from './KeysTable.tsx'
import { selectKeys, sortKeys } from './keys-view.ts'
import type { KeyFilter } from './keys-view.ts'
import { useKeys } from './use-keys.ts'
import type { KeysData } from './use-keys.ts'
import '../pages.css'

const FILTERS = ['active', 'revoked', 'all'] as const
const SORTS = ['-spend', 'spend', 'name', '-name', 'used', '-used'] as const

type State = { readonly q: string | undefined; readonly state: KeyFilter; readonly sort: (typeof SORTS)[number] }
const FIELDS: SearchFields<State> = { q: optionalText(), state: oneOf(FILTERS, 'active'), sort: oneOf(SORTS, '-spend') }

/** Who may ask in the organization's name, what they used, and what bounds them. */
export function KeysPage({ dialog }: { dialog?: ReactNode }): ReactNode {
  const { state, set, dropped } = useSearchState(FIELDS)
  const mayWrite = useMayWrite()
  const href = usePageHref()
  const keys = useKeys()
  return (
    <Page
      title="API keys"
      actions={
        mayWrite && (
          <Link kind="primary" href={href({ page: 'new-key' })}>
            <Icon name="plus" /> Create API key
          </Link>
        )
      }
    >
      <Dropped names={dropped} />
      <div className="ui-controls">
        <label className="ui-search">
          <span className="ui-hidden">Search API keys</span>
          <Icon name="search" />
          <input
            className="ui-input"
            type="search"
            placeholder="Search"
            value={state.q ?? ''}
            onChange={(event) => set({ q: event.target.value }, { replace: true })}
          />
        </label>
        <Segmented
          label="Which keys"
          value={state.state}
          onChange={(filter) => set({ state: filter })}
          options={[
            { id: 'active', label: 'Active' },
            { id: 'revoked', label: 'Revoked' },
            { id: 'all', label: 'All' },
          ]}
        />
      </div>
      {keys.spend.error !== null && (
        <FaultBox error={keys.spend.error} what="what the keys have spent" onRetry={() => void keys.spend.refetch()} />
      )}
      <Loaded query={keys} what="the API keys" height={320}>
        {(all) => (
          <Found keys={keys} all={all} state={state} onSort={(sort) => set({ sort })} onClear={() => set({ q: '', state: 'all' })} />
        )}
      </Loaded>
      {dialog}
    </Page>
  )
}

function Found({
  keys,
  all,
  state,
  onSort,
  onClear,
}: {
  keys: KeysData
  all: readonly ApiKeyJson[]
  state: State
  onSort: (sort: State['sort']) => void
  onClear: () => void
}): ReactNode {
  const { mode } = useConsoleConfig()
  const goTo = useGoTo()
  const mayWrite = useMayWrite()
  if (all.length === 0)
    return (
      <Card isFlush>
        <EmptyState
          title="No API keys."
          actions={
            mayWrite && (
              <Button kind="primary" onPress={() => goTo({ page: 'new-key' })}>
                Create API key
              </Button>
            )
          }
        >
          {mode === 'operator' ? 'This organization has none.' : 'A key lets a program ask in the name of your organization.'}
        </EmptyState>
      </Card>
    )
  const sort: Sort = {
    column: state.sort.replace('-', ''),
    direction: state.sort.startsWith('-') ? 'descending' : 'ascending',
  }
  const found = sortKeys(selectKeys(all, { filter: state.state, search: state.q ?? '' }), sort, (id) => keys.spend.data?.get(id) ?? 0n)
  if (found.length === 0)
    return (
      <Card isFlush>
        <EmptyState title="Nothing matches these filters." actions={<Button onPress={onClear}>Clear filters</Button>} />
      </Card>
    )
  return (
    <>
      <Card isFlush aria-label="API keys">
        <KeysTable
          keys={keys}
          found={found}
          sort={sort}
          onSort={({ column, direction }) => {
            const next = SORTS.find((each) => each === `${direction === 'descending' ? '-' : ''}${column}`)
            if (next !== undefined) onSort(next)
          }}
        />
      </Card>
      <p className="pages-small" role="status">
        {found.length} of {all.length} keys{keys.isWhole ? '' : ' that have been loaded so far'}
        {keys.spend.data === undefined ? `; spend ${NOTHING} not known` : ''}
      </p>
    </>
  )
}
