import type { ReactNode } from 'react'
import { getOrganization } from '@ascribe/contract/operations'
import { useRead } from '../../api/queries.ts'
import { useRawSearch } from '../../navigation.ts'
import { Page } from '../../ui/Page.tsx'
import { Loaded } from '../Loaded.tsx'
import { BudgetForm } from './BudgetForm.tsx'

/** A new budget; `scope` and `subject` of the address fill in for whom. */
export function NewBudgetPage(): ReactNode {
  const organization = useRead(getOrganization)
  const { scope, subject } = useRawSearch()
  const isOfKey = scope === 'credential' && typeof subject === 'string'
  return (
    <Page title="New budget">
      <Loaded query={organization} what="the organization" height={480}>
        {({ currency }) => (
          <BudgetForm
            isNew
            currency={currency}
            start={{
              name: '',
              scope: isOfKey ? 'credential' : 'organization',
              subject: isOfKey ? subject : '',
              unit: currency,
              period: 'month',
              limit: '',
              thresholds: '50, 80, 100',
              webhookUrl: '',
            }}
          />
        )}
      </Loaded>
    </Page>
  )
}
