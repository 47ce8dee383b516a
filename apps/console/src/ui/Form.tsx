import { useEffect, useRef } from 'react'
import type { ReactNode, SyntheticEvent } from 'react'

export type FormErrors = readonly { readonly field: string; readonly message: string }[]

/**
 * A form checks when it is sent, not while one types. What is wrong stands under its field and, together, at the top, where focus goes.
 * `attempt` counts the times that it was sent, so that the same mistakes are told again.
 */
export function Form({
  onSubmit,
  errors = [],
  attempt = 0,
  children,
  label,
}: {
  onSubmit: () => void
  errors?: FormErrors
  attempt?: number
  children: ReactNode
  label?: string
}): ReactNode {
  const send = (event: SyntheticEvent): void => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <form className="ui-form" onSubmit={send} noValidate {...(label !== undefined && { 'aria-label': label })}>
      {errors.length > 0 && <ErrorSummary errors={errors} attempt={attempt} />}
      {children}
    </form>
  )
}

/** All that is wrong with a form, as links to where it is. It takes focus. */
function ErrorSummary({ errors, attempt }: { errors: FormErrors; attempt: number }): ReactNode {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => box.current?.focus(), [attempt])
  const goTo = (field: string): void => {
    const inputs = box.current?.closest('form')?.querySelectorAll<HTMLElement>('input, select, textarea') ?? []
    for (const input of inputs) if (input.getAttribute('name') === field) return input.focus()
  }
  return (
    <div className="ui-notice ui-notice-danger" ref={box} tabIndex={-1} role="alert">
      <div className="ui-notice-body">
        <strong>{errors.length === 1 ? 'One thing has to be mended' : `${errors.length} things have to be mended`}</strong>
        <ul>
          {errors.map(({ field, message }) => (
            <li key={`${field} ${message}`}>
              <button type="button" className="ui-link" onClick={() => goTo(field)}>
                {message}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}
