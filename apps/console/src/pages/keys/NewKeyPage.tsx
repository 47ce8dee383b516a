import { useState } from 'react'
import type { ReactNode } from 'react'
import { createKey, getOrganization, listGroups, listMembers, setOwnBudget } from '@ascribe/contract/operations'
import { useRead, useWrite } from '../../api/queries.ts'
import { useGoTo, usePageHref } from '../../navigation.ts'
import { useServices } from '../../shell/services.tsx'
import { Button } from '../../ui/Button.tsx'
import { Card } from '../../ui/Card.tsx'
import { DialogActions } from '../../ui/Dialog.tsx'
import { CheckField, SelectField, TextField } from '../../ui/Field.tsx'
import { Form } from '../../ui/Form.tsx'
import { Link } from '../../ui/Link.tsx'
import { Page } from '../../ui/Page.tsx'
import { FaultBox, WriteFault } from '../Loaded.tsx'
import { SecretDialog } from '../SecretDialog.tsx'
import { useAllPages } from '../use-all-pages.ts'
import { useToday } from '../use-today.ts'
import { EMPTY_KEY, checkNewKey, newKeyBody } from './new-key.ts'
import type { NewKeyDraft } from './new-key.ts'
import '../pages.css'

/** What a key is for, whose it is, and what bounds it; then its secret, once. */
export function NewKeyPage(): ReactNode {
  const [draft, setDraft] = useState<NewKeyDraft>(EMPTY_KEY)
  const [attempt, setAttempt] = useState(0)
  const goTo = useGoTo()
  const href = usePageHref()
  const today = useToday()
  const { now } = useServices()
  const organization = useRead(getOrganization)
  const create = useWrite(createKey)
  const bound = useWrite(setOwnBudget)
  const errors = checkNewKey(draft, now())
  const shown = attempt === 0 ? [] : errors
  const errorOf = (field: string): string | undefined => shown.find((each) => each.field === field)?.message
  const change = (fields: Partial<NewKeyDraft>): void => setDraft({ ...draft, ...fields })
  const send = (): void => {
    setAttempt(attempt + 1)
    if (errors.length > 0 || create.isPending) return
    create.mutate(
      { body: newKeyBody(draft) },
      {
        onSuccess: ({ authId }) => {
          const limit = draft.budget.trim()
          if (limit === '') return
          bound.mutate({ body: { scope: 'credential', subject: authId, unit: organization.data?.currency ?? '', period: 'month', limit } })
        },
      },
    )
  }
  const done = (): void => goTo({ page: 'keys' })
  return (
    <Page title="Create API key">
      <Card>
        <Form onSubmit={send} errors={shown} attempt={attempt} label="Create API key">
          <TextField
            label="Name"
            name="name"
            isRequired
            value={draft.name}
            onChange={(name) => change({ name })}
            error={errorOf('name')}
            maxLength={200}
            hint="What you will know it by, here and on statements."
          />
          <fieldset className="pages-fieldset">
            <legend>What it may do</legend>
            <CheckField label="Send requests to models" isSelected={draft.inference} onChange={(inference) => change({ inference })} />
            <CheckField label="Read usage and bills" isSelected={draft.billing} onChange={(billing) => change({ billing })} />
            {errorOf('scopes') !== undefined && <span className="ui-field-error">{errorOf('scopes')}</span>}
          </fieldset>
          <Owner draft={draft} onChange={change} />
          <TextField
            label="Works until"
            name="expires"
            value={draft.expires}
            onChange={(expires) => change({ expires })}
            error={errorOf('expires')}
            placeholder="YYYY-MM-DD"
            hint={`End of that UTC day. Empty: until it is revoked. Today is ${today}.`}
          />
          {organization.data !== undefined && (
            <TextField
              label="Budget a month"
              name="budget"
              inputMode="decimal"
              value={draft.budget}
              onChange={(budget) => change({ budget })}
              error={errorOf('budget')}
              suffix={organization.data.currency}
              hint="Requests are refused when it is spent. Empty: no budget of its own."
            />
          )}
          <WriteFault error={create.error} what="create the key" />
          <DialogActions>
            <Button type="submit" kind="primary" isPending={create.isPending}>
              Create API key
            </Button>
            <Link kind="button" href={href({ page: 'keys' })}>
              Cancel
            </Link>
          </DialogActions>
        </Form>
      </Card>
      {create.data !== undefined && (
        <SecretDialog title={`API key ${draft.name.trim()}`} secret={create.data.secret} onDone={done}>
          <WriteFault error={bound.error} what="set its budget. The key itself was made; set a budget under Budgets and alerts" />
        </SecretDialog>
      )}
    </Page>
  )
}

function Owner({ draft, onChange }: { draft: NewKeyDraft; onChange: (fields: Partial<NewKeyDraft>) => void }): ReactNode {
  const members = useAllPages(listMembers, { query: { limit: 500 } })
  const groups = useAllPages(listGroups, { query: { limit: 500 } })
  const none = { id: '', label: 'None' }
  if (members.error !== null) return <FaultBox error={members.error} what="the members" onRetry={() => void members.refetch()} />
  return (
    <>
      {(members.data?.length ?? 0) > 0 && (
        <SelectField
          label="Owner"
          name="user"
          value={draft.user}
          onChange={(user) => onChange({ user })}
          options={[none, ...(members.data ?? []).map(({ id, name, email }) => ({ id, label: name ?? email ?? id }))]}
          hint="Whose usage it is."
        />
      )}
      {(groups.data?.length ?? 0) > 0 && (
        <SelectField
          label="Group"
          name="group"
          value={draft.group}
          onChange={(group) => onChange({ group })}
          options={[none, ...(groups.data ?? []).map(({ id, name }) => ({ id, label: name ?? id }))]}
        />
      )}
    </>
  )
}
