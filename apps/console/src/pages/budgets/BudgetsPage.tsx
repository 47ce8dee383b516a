import { useState } from 'react'
import type { ReactNode } from 'react'
import { endOwnBudget, listBudgets, rotateWebhookSecret } from '@ascribe/contract/operations'
import type { BudgetJson } from '@ascribe/contract/reads'
import { useMayWrite } from '../../api/context.tsx'
import { useRead, useWrite } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { formatInstantLong } from '../../format/dates.ts'
import { usePageHref } from '../../navigation.ts'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { Dialog, DialogActions } from '../../ui/Dialog.tsx'
import { EmptyState } from '../../ui/EmptyState.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { Link } from '../../ui/Link.tsx'
import { Page } from '../../ui/Page.tsx'
import { Loaded, WriteFault } from '../Loaded.tsx'
import { SecretDialog } from '../SecretDialog.tsx'
import { BudgetsTable } from './BudgetsTable.tsx'
import { useSubjectName } from './use-names.ts'
import '../pages.css'

type Open = { readonly kind: 'end' | 'secret'; readonly budget: BudgetJson }

/** Limits, how they stand, and who is told. */
export function BudgetsPage(): ReactNode {
  const budgets = useRead(listBudgets)
  const mayWrite = useMayWrite()
  const href = usePageHref()
  const { provider } = useConsoleConfig()
  const [open, setOpen] = useState<Open>()
  const close = (): void => setOpen(undefined)
  const nameOf = useSubjectName()
  const create = mayWrite && (
    <Link kind="primary" href={href({ page: 'new-budget' })}>
      <Icon name="plus" /> New budget
    </Link>
  )
  return (
    <Page title="Budgets and alerts" actions={create}>
      <p className="ui-lead">
        A budget is checked before each request: when it is spent, requests are refused until its next day or month begins. At its
        thresholds a webhook is told. Those that {provider} has set are shown too.
      </p>
      <Loaded query={budgets} what="the budgets" height={240}>
        {({ data }) => (
          <Card isFlush aria-label="Budgets">
            {data.length === 0 ? (
              <EmptyState title="No budgets yet." actions={create}>
                Nothing bounds what this organization may spend.
              </EmptyState>
            ) : (
              <BudgetsTable
                budgets={data}
                onEnd={(budget) => setOpen({ kind: 'end', budget })}
                onSecret={(budget) => setOpen({ kind: 'secret', budget })}
              />
            )}
          </Card>
        )}
      </Loaded>
      {open?.kind === 'end' && (
        <EndDialog budget={open.budget} name={open.budget.name ?? nameOf(open.budget.scope, open.budget.subject)} onClose={close} />
      )}
      {open?.kind === 'secret' && <WebhookSecret budget={open.budget} onClose={close} />}
    </Page>
  )
}

function EndDialog({ budget, name, onClose }: { budget: BudgetJson; name: string; onClose: () => void }): ReactNode {
  const end = useWrite(endOwnBudget)
  return (
    <Dialog isOpen role="alertdialog" title={`End the budget of ${name}?`} onClose={onClose}>
      <p>Requests are bounded by it no longer, at once. You can set another one.</p>
      <WriteFault error={end.error} what="end the budget" />
      <DialogActions>
        <Button
          kind="danger"
          isPending={end.isPending}
          onPress={() => end.mutate({ params: { budgetId: budget.id } }, { onSuccess: onClose })}
        >
          End budget
        </Button>
        <Button onPress={onClose}>Keep budget</Button>
      </DialogActions>
    </Dialog>
  )
}

/** What a receiver checks alerts with: made here, shown once. */
function WebhookSecret({ budget, onClose }: { budget: BudgetJson; onClose: () => void }): ReactNode {
  const rotate = useWrite(rotateWebhookSecret)
  if (rotate.data !== undefined)
    return (
      <SecretDialog title="Signing secret of this webhook" secret={rotate.data.secret} onDone={onClose}>
        <p>
          Alerts of this budget to <code>{budget.webhookHost}</code> are signed with it, as Standard Webhooks has it.
          {rotate.data.oldEndsAt !== undefined && ` The one before signs beside it until ${formatInstantLong(rotate.data.oldEndsAt)}.`}
        </p>
      </SecretDialog>
    )
  const has = budget.webhookSecretSince !== undefined
  return (
    <Dialog isOpen title={has ? 'Make a new signing secret?' : 'Make a signing secret?'} onClose={onClose}>
      <p>
        {has
          ? `The present one is of ${formatInstantLong(budget.webhookSecretSince ?? '')}. It signs beside the new one for a day, so that your receiver can change over.`
          : 'Your receiver checks with it that an alert came from here. From now on alerts of this budget are signed with it.'}
      </p>
      <WriteFault error={rotate.error} what="make a secret" />
      <DialogActions>
        <Button kind="primary" isPending={rotate.isPending} onPress={() => rotate.mutate({ params: { budgetId: budget.id } })}>
          Make secret
        </Button>
        <Button onPress={onClose}>Cancel</Button>
      </DialogActions>
    </Dialog>
  )
}
