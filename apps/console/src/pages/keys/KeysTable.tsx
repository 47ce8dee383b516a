import type { ReactNode } from 'react'
import type { ApiKeyJson } from '@ascribe/contract/reads'
import { useMayWrite } from '../../api/context.tsx'
import { formatAgo } from '../../format/dates.ts'
import { NOTHING } from '../../format/digits.ts'
import { formatNano } from '../../format/money.ts'
import { useGoTo, usePageHref } from '../../navigation.ts'
import { useServices } from '../../shell/services.tsx'
import { DateText, Money } from '../../ui/Amounts.tsx'
import { Badge } from '../../ui/Badge.tsx'
import { Link } from '../../ui/Link.tsx'
import { MenuButton } from '../../ui/MenuButton.tsx'
import { Meter } from '../../ui/Meter.tsx'
import { Table } from '../../ui/Table.tsx'
import type { Column, Sort } from '../../ui/table-rows.ts'
import { formatBudgetAmount, usedOf } from '../amounts.ts'
import { overviewAddress } from '../overview-link.ts'
import { lastDays, useToday } from '../use-today.ts'
import { keyName } from './keys-view.ts'
import { SPEND_DAYS } from './use-keys.ts'
import type { KeysData } from './use-keys.ts'

export function KeysTable({
  keys,
  found,
  sort,
  onSort,
}: {
  keys: KeysData
  found: readonly ApiKeyJson[]
  sort: Sort
  onSort: (sort: Sort) => void
}): ReactNode {
  const mayWrite = useMayWrite()
  const href = usePageHref()
  const range = lastDays(useToday(), SPEND_DAYS)
  const spend = (key: ApiKeyJson): ReactNode => {
    if (keys.spend.data === undefined) return <span className="pages-muted">{NOTHING}</span>
    const amount = keys.spend.data.get(key.id)
    if (amount === undefined) return <span className="pages-muted">{NOTHING}</span>
    return (
      <Link href={href(overviewAddress({ ...range, by: 'model', keys: { apiKey: key.id } }))} title="Open in Overview">
        <Money amount={formatNano(amount)} currency={keys.currency} />
      </Link>
    )
  }
  const columns: readonly Column<ApiKeyJson>[] = [
    {
      id: 'name',
      header: 'Name',
      isSortable: true,
      cell: (key) => (
        <span>
          {keyName(key)}
          {key.state !== 'active' && <span className="pages-phone"> ({key.state})</span>}
          {(key.user !== undefined || key.group !== undefined) && (
            <span className="pages-sub">{[key.user, key.group].filter((each) => each !== undefined).join(' · ')}</span>
          )}
        </span>
      ),
    },
    { id: 'id', header: 'Begins with', isPhone: false, cell: (key) => <code title={`Key id ${key.id}`}>{key.publicId}…</code> },
    { id: 'used', header: 'Last used', isSortable: true, isPhone: false, cell: (key) => <LastUsed at={key.lastUsedAt} /> },
    { id: 'spend', header: `Spend ${SPEND_DAYS} d, ${keys.currency}`, isNumber: true, isSortable: true, cell: spend },
    { id: 'budget', header: 'Budget', isPhone: false, cell: (key) => <KeyBudget keys={keys} id={key.id} /> },
    { id: 'state', header: 'Status', isPhone: false, cell: (key) => <KeyState apiKey={key} /> },
    ...(mayWrite
      ? [
          {
            id: 'menu',
            header: <span className="ui-hidden">Actions</span>,
            title: 'Actions',
            isPhone: false,
            cell: (key: ApiKeyJson) => <KeyMenu apiKey={key} budget={keys.budgetOf(key.id)} />,
          },
        ]
      : []),
  ]
  return <Table caption="API keys" columns={columns} rows={found} rowKey={({ id }) => id} sort={sort} onSort={onSort} />
}

function LastUsed({ at }: { at: string | undefined }): ReactNode {
  const { now } = useServices()
  if (at === undefined) return <span className="pages-muted">never</span>
  return (
    <time dateTime={at} title={at}>
      {formatAgo(at, now())}
    </time>
  )
}

function KeyBudget({ keys, id }: { keys: KeysData; id: string }): ReactNode {
  const budget = keys.budgetOf(id)
  if (budget === undefined) return <span className="pages-muted">none</span>
  const standing = budget.standings.find(({ subject }) => subject === id)
  const used = usedOf(standing?.spent ?? '0', budget.limit)
  return (
    <Meter
      label={`Budget of ${formatBudgetAmount(budget.limit, budget.unit)} a ${budget.period}`}
      value={used.ratio}
      text={used.text}
      thresholds={budget.thresholds}
    />
  )
}

function KeyState({ apiKey: { state, revokedAt, expiresAt } }: { apiKey: ApiKeyJson }): ReactNode {
  if (state === 'revoked')
    return (
      <>
        <Badge kind="danger">Revoked</Badge>
        {revokedAt !== undefined && (
          <span className="pages-sub">
            <DateText at={revokedAt} show="day" />
          </span>
        )}
      </>
    )
  if (state === 'expired') return <Badge kind="warning">Expired</Badge>
  return (
    <>
      <Badge kind="success">Active</Badge>
      {expiresAt !== undefined && (
        <span className="pages-sub">
          until <DateText at={expiresAt} show="day" />
        </span>
      )}
    </>
  )
}

function KeyMenu({
  apiKey,
  budget,
}: {
  apiKey: ApiKeyJson
  budget: { readonly id: string; readonly isOwn: boolean } | undefined
}): ReactNode {
  const goTo = useGoTo()
  if (apiKey.state === 'revoked') return null
  const params = { key: apiKey.id }
  const toBudget = (): void =>
    budget === undefined
      ? goTo({ page: 'new-budget', search: { scope: 'credential', subject: apiKey.id } })
      : goTo({ page: 'edit-budget', params: { budget: budget.id } })
  return (
    <MenuButton
      icon="more"
      iconLabel={`Actions for ${keyName(apiKey)}`}
      items={[
        {
          id: 'rotate',
          label: 'Rotate',
          hint: 'A new secret; the old one may work for a while',
          onAction: () => goTo({ page: 'rotate-key', params }),
        },
        ...(budget === undefined || budget.isOwn
          ? [{ id: 'budget', label: budget === undefined ? 'Set budget' : 'Change budget', onAction: toBudget }]
          : []),
        'separator',
        { id: 'revoke', label: 'Revoke', isDanger: true, onAction: () => goTo({ page: 'revoke-key', params }) },
      ]}
    />
  )
}
