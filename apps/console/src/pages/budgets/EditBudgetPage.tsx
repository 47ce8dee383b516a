import type { ReactNode } from 'react'
import { listBudgets } from '@ascribe/contract/operations'
import type { BudgetJson } from '@ascribe/contract/reads'
import { useRead } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { usePageHref, usePageParam } from '../../navigation.ts'
import { ErrorBox } from '../../ui/ErrorBox.tsx'
import { Link } from '../../ui/Link.tsx'
import { Page } from '../../ui/Page.tsx'
import { Loaded } from '../Loaded.tsx'
import { BudgetForm } from './BudgetForm.tsx'
import { useSubjectName } from './use-names.ts'

/** What may change of a budget that a member has set. */
export function EditBudgetPage(): ReactNode {
  const id = usePageParam('budget')
  const budgets = useRead(listBudgets)
  return (
    <Page title="Change budget">
      <Loaded query={budgets} what="the budget" height={480}>
        {({ data }) => <Edit budget={data.find((each) => each.id === id)} />}
      </Loaded>
    </Page>
  )
}

function Edit({ budget }: { budget: BudgetJson | undefined }): ReactNode {
  const href = usePageHref()
  const { provider } = useConsoleConfig()
  const nameOf = useSubjectName()
  const back = <Link href={href({ page: 'budgets' })}>To the budgets</Link>
  if (budget === undefined) return <ErrorBox title="There is no such budget." actions={back} />
  if (!budget.isOwn || budget.scope === 'user' || budget.period === 'prepaid')
    return (
      <ErrorBox title={`${provider} has set this budget.`} actions={back}>
        Ask them to change it.
      </ErrorBox>
    )
  const { scope, subject, unit, period, limit, thresholds } = budget
  return (
    <>
      <p className="ui-lead">
        {nameOf(scope, subject)}: {unit === 'tokens' ? 'tokens' : `cost, ${unit}`} of each {period}. A new limit is in force at once.
      </p>
      <BudgetForm
        key={budget.id}
        isNew={false}
        currency={unit}
        webhookHost={budget.webhookHost}
        start={{ name: budget.name ?? '', scope, subject, unit, period, limit, thresholds: thresholds.join(', '), webhookUrl: '' }}
      />
    </>
  )
}
