import type { ReactNode } from 'react'
import type { BudgetJson } from '@ascribe/contract/reads'
import { useMayWrite } from '../../api/context.tsx'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatInstantLong } from '../../format/dates.ts'
import { NOTHING } from '../../format/digits.ts'
import { useGoTo } from '../../navigation.ts'
import { MenuButton } from '../../ui/MenuButton.tsx'
import { Meter } from '../../ui/Meter.tsx'
import { Table } from '../../ui/Table.tsx'
import type { Column } from '../../ui/table-rows.ts'
import { formatBudgetAmount, usedOf } from '../amounts.ts'
import { SCOPE_WORDS, useSubjectName } from './use-names.ts'

const PERIODS = { day: 'a day', month: 'a month', prepaid: 'prepaid' } as const

type Row =
  | { readonly kind: 'budget'; readonly budget: BudgetJson }
  | { readonly kind: 'standing'; readonly budget: BudgetJson; readonly standing: BudgetJson['standings'][number] }

/** One row a budget; of a budget for each of several, one more for each that has used something. */
export function BudgetsTable({
  budgets,
  onEnd,
  onSecret,
}: {
  budgets: readonly BudgetJson[]
  onEnd: (budget: BudgetJson) => void
  onSecret: (budget: BudgetJson) => void
}): ReactNode {
  const nameOf = useSubjectName()
  const mayWrite = useMayWrite()
  const { provider } = useConsoleConfig()
  const columns: readonly Column<Row>[] = [
    {
      id: 'for',
      header: 'For',
      cell: (row) => {
        const { budget } = row
        if (row.kind === 'standing') return nameOf(budget.scope, row.standing.subject)
        return (
          <span>
            {budget.name ?? nameOf(budget.scope, budget.subject)}
            <span className="pages-sub">
              {SCOPE_WORDS[budget.scope]}
              {budget.name !== undefined && ` · ${nameOf(budget.scope, budget.subject)}`}
            </span>
          </span>
        )
      },
    },
    {
      id: 'limit',
      header: 'Limit',
      isNumber: true,
      isPhone: false,
      cell: ({ kind, budget }) => (kind === 'standing' ? '' : `${formatBudgetAmount(budget.limit, budget.unit)} ${PERIODS[budget.period]}`),
    },
    { id: 'used', header: 'Used', cell: (row) => <Used row={row} /> },
    {
      id: 'left',
      header: 'Left',
      isNumber: true,
      isPhone: false,
      cell: (row) => {
        const standing = standingOf(row)
        return standing === undefined ? NOTHING : formatBudgetAmount(standing.left, row.budget.unit)
      },
    },
    {
      id: 'alerts',
      header: 'Alerts',
      isPhone: false,
      width: '200px',
      cell: ({ kind, budget }) => (kind === 'standing' ? '' : <Alerts budget={budget} />),
    },
    {
      id: 'by',
      header: 'Set by',
      isPhone: false,
      cell: ({ kind, budget }) => (kind === 'standing' ? '' : budget.isOwn ? 'Your organization' : provider),
    },
    ...(mayWrite
      ? [
          {
            id: 'menu',
            header: <span className="ui-hidden">Actions</span>,
            title: 'Actions',
            isPhone: false,
            cell: ({ kind, budget }: Row) =>
              kind === 'budget' && budget.isOwn ? (
                <BudgetMenu budget={budget} onEnd={onEnd} onSecret={onSecret} name={budget.name ?? nameOf(budget.scope, budget.subject)} />
              ) : null,
          },
        ]
      : []),
  ]
  const rows = budgets.map((budget): Row => ({ kind: 'budget', budget }))
  return (
    <Table
      caption="Budgets"
      columns={columns}
      rows={rows}
      rowKey={(row) => (row.kind === 'budget' ? row.budget.id : `${row.budget.id} ${row.standing.subject}`)}
      childrenOf={(row) =>
        row.kind === 'budget' && row.budget.subject === '*' && row.budget.standings.length > 0
          ? row.budget.standings.map((standing): Row => ({ kind: 'standing', budget: row.budget, standing }))
          : undefined
      }
    />
  )
}

function standingOf(row: Row): BudgetJson['standings'][number] | undefined {
  if (row.kind === 'standing') return row.standing
  return row.budget.subject === '*' ? undefined : row.budget.standings[0]
}

function Used({ row }: { row: Row }): ReactNode {
  const { budget } = row
  const standing = standingOf(row)
  if (standing === undefined)
    return <span className="pages-muted">{budget.standings.length === 0 ? 'nothing used' : 'each by itself'}</span>
  const used = usedOf(standing.spent, budget.limit)
  return (
    <span>
      <Meter label={`Used of the budget: ${used.text}`} value={used.ratio} text={used.text} thresholds={budget.thresholds} />
      <span className="pages-sub">
        {formatBudgetAmount(standing.spent, budget.unit)}
        {budget.windowEnd !== undefined && ` · begins anew ${formatInstantLong(budget.windowEnd)}`}
      </span>
    </span>
  )
}

function Alerts({ budget }: { budget: BudgetJson }): ReactNode {
  const { thresholds, webhookHost, webhookSecretSince } = budget
  if (thresholds.length === 0) return <span className="pages-muted">none</span>
  return (
    <span>
      at {thresholds.map((each) => `${each}\u00a0%`).join(', ')}
      <span className="pages-sub">
        {webhookHost === undefined ? 'nobody is told: no webhook' : `to ${webhookHost}`}
        {webhookHost !== undefined && webhookSecretSince !== undefined && ' · signed with your secret'}
      </span>
    </span>
  )
}

function BudgetMenu({
  budget,
  name,
  onEnd,
  onSecret,
}: {
  budget: BudgetJson
  name: string
  onEnd: (budget: BudgetJson) => void
  onSecret: (budget: BudgetJson) => void
}): ReactNode {
  const goTo = useGoTo()
  return (
    <MenuButton
      icon="more"
      iconLabel={`Actions for the budget of ${name}`}
      items={[
        { id: 'edit', label: 'Change', onAction: () => goTo({ page: 'edit-budget', params: { budget: budget.id } }) },
        ...(budget.webhookHost === undefined
          ? []
          : [{ id: 'secret', label: 'Signing secret', hint: 'What your receiver checks alerts with', onAction: () => onSecret(budget) }]),
        'separator',
        { id: 'end', label: 'End', isDanger: true, onAction: () => onEnd(budget) },
      ]}
    />
  )
}
