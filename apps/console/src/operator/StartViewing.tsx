import { useMutation, useQuery } from '@tanstack/react-query'
import { useLocation } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import type { ReactElement } from 'react'
import type { ActingSessionJson } from '@ascribe/contract'
import { searchOrganizations, startActingSession } from '@ascribe/contract/operations'
import { createApi, createClient } from '../api/api.ts'
import { faultOf } from '../api/fault.ts'
import type { Fault } from '../api/fault.ts'
import { getActingSession } from '@ascribe/contract/operations'
import { useConsoleConfig } from '../config-context.tsx'
import { pageAt } from '../routes.ts'
import { MessagePage } from '../shell/ErrorPages.tsx'
import { Button } from '../ui/Button.tsx'
import { ErrorBox } from '../ui/ErrorBox.tsx'
import { RadioField, TextField } from '../ui/Field.tsx'
import { Form } from '../ui/Form.tsx'
import { Link } from '../ui/Link.tsx'
import { Notice } from '../ui/Notice.tsx'
import { errorsOf } from './start-form.ts'

type Props = {
  readonly organizationId: string
  /** Why there is no session now. */
  readonly fault: Fault
  readonly onStarted: (session: ActingSessionJson) => void
}

const MINUTES = ['15', '30', '60'].map((id) => ({ id, label: `${id} minutes` }))

/** Says why, before anything is shown; then the page that was asked for is there, at the same address. */
export function StartViewing({ organizationId, fault, onStarted }: Props): ReactElement {
  const name = useOrganizationName(organizationId)
  const [values, setValues] = useState({ reason: '', ticket: '', minutes: '60' })
  const [attempt, setAttempt] = useState(0)
  const start = useStart(organizationId, onStarted)
  const errors = attempt === 0 ? [] : errorsOf(values)
  const shown = name ?? 'this organization'
  const { basePath } = useConsoleConfig()
  const submit = (): void => {
    setAttempt(attempt + 1)
    if (errorsOf(values).length === 0) start.mutate({ ...values, minutes: Number(values.minutes) })
  }
  const errorOf = (field: string): string | undefined => errors.find((each) => each.field === field)?.message
  return (
    <MessagePage title={`View as ${shown}`}>
      <p className="id">{organizationId}</p>
      <WhyNot fault={fault} name={shown} />
      {start.error !== null && <Refused fault={faultOf(start.error)} name={shown} />}
      <Form label={`View as ${shown}`} onSubmit={submit} errors={errors} attempt={attempt}>
        <TextField
          label="Reason"
          name="reason"
          isRequired
          hint="The customer reads it."
          maxLength={1000}
          value={values.reason}
          onChange={(reason) => setValues({ ...values, reason })}
          error={errorOf('reason')}
        />
        <TextField
          label="Ticket"
          name="ticket"
          isRequired
          maxLength={200}
          value={values.ticket}
          onChange={(ticket) => setValues({ ...values, ticket })}
          error={errorOf('ticket')}
        />
        <RadioField
          label="For"
          name="minutes"
          options={MINUTES}
          value={values.minutes}
          onChange={(minutes) => setValues({ ...values, minutes })}
        />
        <WillOpen />
        <Notice kind="warning">{shown} will read your name, reason and every page you open.</Notice>
        <p>You see what {shown} sees. Nothing can be changed.</p>
        <div className="ui-actions">
          <Button type="submit" kind="primary" isPending={start.isPending}>
            Start viewing
          </Button>
          <Link kind="button" href={basePath}>
            Cancel
          </Link>
        </div>
      </Form>
    </MessagePage>
  )
}

/** Its name, from the search: the one thing that may be known of an organization without a session. */
function useOrganizationName(organizationId: string): string | undefined {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config), [config])
  const { data } = useQuery({
    queryKey: ['search', organizationId],
    queryFn: ({ signal }) => client.call(searchOrganizations, { query: { q: organizationId, limit: 1 }, signal }),
    retry: false,
  })
  return data?.data.find(({ id }) => id === organizationId)?.name
}

function useStart(organizationId: string, onStarted: (session: ActingSessionJson) => void) {
  const config = useConsoleConfig()
  const client = useMemo(() => createClient(config, organizationId), [config, organizationId])
  return useMutation({
    mutationFn: async (values: { readonly reason: string; readonly ticket: string; readonly minutes: number }) => {
      try {
        return await client.call(startActingSession, { body: { organization: organizationId, ...values } })
      } catch (error) {
        // Begun meanwhile, in another tab: that one is as good.
        if (faultOf(error).kind === 'conflict') return createApi(config, organizationId).call(getActingSession)
        throw error
      }
    },
    onSuccess: onStarted,
  })
}

/** The page behind the form, by its name. */
function WillOpen(): ReactElement | undefined {
  const { pathname, search } = useLocation()
  const page = pageAt(pathname)
  if (page === undefined) return undefined
  const { from, to } = search as Readonly<Record<string, unknown>>
  const range = typeof from === 'string' && typeof to === 'string' ? `, ${from} – ${to}` : ''
  const detail = page.id === 'statement' ? `, ${decodeURIComponent(pathname.split('/').at(-1) ?? '')}` : ''
  return (
    <p>
      You will open: {page.title}
      {detail}
      {range}
    </p>
  )
}

function WhyNot({ fault, name }: { fault: Fault; name: string }): ReactElement | undefined {
  if (fault.kind === 'approval_required')
    return (
      <Notice kind="info" title={`${name} must approve access first.`}>
        Say why you want to look; the request is sent to their administrators.
      </Notice>
    )
  if (fault.kind === 'viewing_ended') return <Notice kind="info">{fault.message}</Notice>
  return undefined
}

function Refused({ fault, name }: { fault: Fault; name: string }): ReactElement {
  const { kind, message, requestId } = fault
  if (kind === 'approval_required')
    return (
      <Notice kind="warning" isLive title={`${name} must approve access first.`}>
        {message}
      </Notice>
    )
  const title = kind === 'not_found' || kind === 'forbidden' ? `Your role may not view ${name}.` : 'We could not begin.'
  return (
    <ErrorBox title={title} requestId={requestId}>
      {kind === 'signed_out' ? 'Your sign-in has ended. Load this page again to sign in.' : message}
    </ErrorBox>
  )
}
