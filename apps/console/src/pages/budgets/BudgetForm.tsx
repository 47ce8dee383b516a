import { useState } from 'react'
import type { ReactNode } from 'react'
import { listApiKeys, listGroups, setOwnBudget } from '@ascribe/contract/operations'
import { useWrite } from '../../api/queries.ts'
import { useGoTo, usePageHref } from '../../navigation.ts'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { DialogActions } from '../../ui/Dialog.tsx'
import { RadioField, SelectField, TextField } from '../../ui/Field.tsx'
import { Form } from '../../ui/Form.tsx'
import { Link } from '../../ui/Link.tsx'
import { keyName } from '../keys/keys-view.ts'
import { WriteFault } from '../Loaded.tsx'
import { useAllPages } from '../use-all-pages.ts'
import { budgetBody, checkBudget } from './budget-form.ts'
import type { BudgetDraft } from './budget-form.ts'

/** Of a new budget, or of one that is there: then what it is about stays. */
export function BudgetForm({
  start,
  currency,
  isNew,
  webhookHost,
}: {
  start: BudgetDraft
  currency: string
  isNew: boolean
  webhookHost?: string | undefined
}): ReactNode {
  const [draft, setDraft] = useState(start)
  const [attempt, setAttempt] = useState(0)
  const goTo = useGoTo()
  const href = usePageHref()
  const save = useWrite(setOwnBudget)
  const errors = checkBudget(draft)
  const shown = attempt === 0 ? [] : errors
  const errorOf = (field: string): string | undefined => shown.find((each) => each.field === field)?.message
  const change = (fields: Partial<BudgetDraft>): void => setDraft({ ...draft, ...fields })
  const send = (): void => {
    setAttempt(attempt + 1)
    if (errors.length > 0 || save.isPending) return
    save.mutate({ body: budgetBody(draft) }, { onSuccess: () => goTo({ page: 'budgets' }) })
  }
  return (
    <Card>
      <Form onSubmit={send} errors={shown} attempt={attempt} label="Budget">
        {isNew && <Subject draft={draft} currency={currency} onChange={change} error={errorOf('subject')} />}
        <TextField
          label="Limit"
          name="limit"
          isRequired
          inputMode="decimal"
          value={draft.limit}
          onChange={(limit) => change({ limit })}
          error={errorOf('limit')}
          suffix={`${draft.unit} a ${draft.period}`}
        />
        <TextField
          label="Tell somebody at"
          name="thresholds"
          value={draft.thresholds}
          onChange={(thresholds) => change({ thresholds })}
          error={errorOf('thresholds')}
          suffix="% of the limit"
          hint="Several with commas: 50, 80, 100."
        />
        <TextField
          label="Webhook"
          name="webhook"
          type="url"
          value={draft.webhookUrl}
          onChange={(webhookUrl) => change({ webhookUrl })}
          error={errorOf('webhook')}
          placeholder="https://"
          hint={
            webhookHost === undefined
              ? 'Gets a signed POST at each threshold. It has to lead to a public address.'
              : `Now to ${webhookHost}; its address is not shown. Empty: it stays.`
          }
        />
        <TextField
          label="Name"
          name="name"
          value={draft.name}
          onChange={(name) => change({ name })}
          maxLength={200}
          hint="What you call it; may be empty."
        />
        <WriteFault error={save.error} what="save the budget" />
        <DialogActions>
          <Button type="submit" kind="primary" isPending={save.isPending}>
            {isNew ? 'Set budget' : 'Save budget'}
          </Button>
          <Link kind="button" href={href({ page: 'budgets' })}>
            Cancel
          </Link>
        </DialogActions>
      </Form>
    </Card>
  )
}

function Subject({
  draft,
  currency,
  onChange,
  error,
}: {
  draft: BudgetDraft
  currency: string
  onChange: (fields: Partial<BudgetDraft>) => void
  error: string | undefined
}): ReactNode {
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } }).data ?? []
  const groups = useAllPages(listGroups, { query: { limit: 500 } }).data ?? []
  const scopes = [
    { id: 'organization', label: 'The organization' },
    { id: 'credential', label: 'One API key' },
    ...(groups.length > 0 ? [{ id: 'group', label: 'One group' }] : []),
  ]
  const choose = { id: '', label: 'Choose' }
  return (
    <>
      <RadioField
        label="For"
        name="scope"
        value={draft.scope}
        onChange={(scope) => onChange({ scope: scope as BudgetDraft['scope'], subject: '' })}
        options={scopes}
      />
      {draft.scope === 'credential' && (
        <SelectField
          label="API key"
          name="subject"
          value={draft.subject}
          onChange={(subject) => onChange({ subject })}
          error={error}
          options={[choose, ...keys.filter(({ state }) => state === 'active').map((key) => ({ id: key.id, label: keyName(key) }))]}
        />
      )}
      {draft.scope === 'group' && (
        <SelectField
          label="Group"
          name="subject"
          value={draft.subject}
          onChange={(subject) => onChange({ subject })}
          error={error}
          options={[choose, ...groups.map(({ id, name }) => ({ id, label: name ?? id }))]}
        />
      )}
      <RadioField
        label="Counts"
        name="unit"
        value={draft.unit}
        onChange={(unit) => onChange({ unit })}
        options={[
          { id: currency, label: `Cost, ${currency}` },
          { id: 'tokens', label: 'Tokens' },
        ]}
      />
      <RadioField
        label="Begins anew"
        name="period"
        value={draft.period}
        onChange={(period) => onChange({ period: period as BudgetDraft['period'] })}
        options={[
          { id: 'month', label: 'Each month (UTC)' },
          { id: 'day', label: 'Each day (UTC)' },
        ]}
      />
    </>
  )
}
